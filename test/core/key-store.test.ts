import { expect, test } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.js'
import { createKeyStore } from '../../src/core/hook/key-store.js'
import { hostileLists, hostileObjects, textsOf } from '../support/hostile-inputs.js'

test('the unread guard keeps the last 10,000 ids, so that an outage does not fill the memory', async () => {
  const written: object[] = []
  const keys = createKeyStore({
    sessionId: 's',
    list: async () => [],
    read: () => Promise.reject(new StoreUnavailableError('The test', 'gone')),
    write: async data => written.push(data),
    revive: (_type, value) => value,
    assertOpen() {},
  })
  const ids = Array.from({ length: 10_001 }, (_, n) => `${n}`)
  await expect(keys.get('session', ids)).rejects.toThrow()
  const put = (id: string) => keys.set({ session: { [id]: null } })
  await expect(put('1')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(put('10000')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(written).toEqual([])
  await put('0')
  expect(written).toEqual([{ session: { 0: null } }])
})

test.each([
  ...hostileLists().map(([kind, ids]) => ['get', kind, 'INVALID_KEY', ids] as const),
  ...hostileObjects('session').map(([kind, data]) => ['set', kind, 'INVALID_VALUE', data] as const),
])('%s refuses %s that throws when it is read with %s', async (method, _kind, code, input) => {
  const keys = createKeyStore({
    sessionId: 's',
    list: async () => [],
    read: async () => ({}),
    write: async () => expect.unreachable(),
    revive: (_type, value) => value,
    assertOpen() {},
  })
  const call = method === 'get' ? keys.get('session', input as never[]) : keys.set(input as never)
  const error = await Promise.resolve(call).catch(reason => reason)
  expect(error).toMatchObject({ code })
  expect(textsOf(error)).not.toContain('4917')
})
