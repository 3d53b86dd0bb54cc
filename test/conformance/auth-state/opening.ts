import { describe, expect, test } from 'vitest'
import { CREDS_FIELD } from '../../../src/core/backend.js'
import { serialize } from '../../../src/core/codec/buffers.js'
import { catchError } from '../../support/catch-error.js'
import { type CreateStoreDatabase, KEY, OTHER_KEY } from '../auth-store/harness.js'
import { identityOf, readRaw, record, setStage } from './harness.js'

export function describeOpening(create: CreateStoreDatabase): void {
  describe('opening', () => {
    test('a new session stores its creds before it returns, and returns the same ones from then on', async () => {
      const { open, raw } = await setStage(create)
      const first = await open()
      expect((await raw.read('s', [CREDS_FIELD])).values[0]?.length).toBeGreaterThan(0)
      const second = await open()
      expect(second.state.creds).toEqual(JSON.parse(JSON.stringify(first.state.creds), reviveBuffers))
    })

    test('a new session several times at once ends with one identity, and refuses the others with FENCED', async () => {
      const { open } = await setStage(create)
      const outcomes = await Promise.allSettled([open(), open(), open()])
      const opened = outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : []))
      const refused = outcomes.flatMap(outcome =>
        outcome.status === 'rejected' ? [outcome.reason.code] : [],
      )
      expect(refused.every(code => code === 'FENCED')).toBe(true)
      const stored = identityOf((await open()).state.creds)
      for (const { state } of opened) expect(identityOf(state.creds)).toBe(stored)
    })

    test.each(['read', 'claim'] as const)(
      'fails while "%s" fails, and makes no new identity',
      async method => {
        const { open, openStore, raw } = await setStage(create)
        const { state } = await open()
        const before = await readRaw(raw)
        const { store, backend } = await openStore()
        backend.fail(method)
        await expect(open({ store })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
        expect(await readRaw(raw)).toEqual(before)
        backend.heal()
        expect(identityOf((await open({ store })).state.creds)).toBe(identityOf(state.creds))
      },
    )

    test('a session that does not exist fails while the database fails, and writes nothing', async () => {
      const { open, openStore, raw } = await setStage(create)
      for (const method of ['read', 'claim', 'commit'] as const) {
        const { store, backend } = await openStore()
        backend.fail(method)
        await expect(open({ store })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      }
      expect((await raw.readAll('s')).head.exists).toBe(false)
    })

    test('succeeds when a fault passes before the retries end', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      for (const method of ['read', 'claim', 'commit'] as const) backend.fail(method, 2)
      expect((await open({ store })).state.creds.registered).toBe(false)
    })

    test('with another master key fails, and the owner goes on', async () => {
      const { open, raw } = await setStage(create)
      const owner = await open({ masterKey: KEY })
      const before = await readRaw(raw)
      for (const masterKey of [OTHER_KEY, undefined]) {
        await expect(open(masterKey ? { masterKey } : {})).rejects.toMatchObject({
          code: 'DECRYPTION_FAILED',
        })
      }
      expect(await readRaw(raw)).toEqual(before)
      await owner.state.keys.set({ session: { a: record('still mine') } })
    })

    test.each([
      ['damaged creds', Buffer.from('damaged'), 'CORRUPT_VALUE'],
      ['keys and no creds', null, 'SESSION_INCOMPLETE'],
    ] as const)('a session with %s is an error, and overwrites nothing', async (_, bytes, code) => {
      const { open, raw } = await setStage(create)
      await (await open()).state.keys.set({ session: { a: record('a') } })
      await raw.commit('s', { writes: [{ ...CREDS_FIELD, bytes }], operationId: 'damage' })
      const before = await readRaw(raw)
      await expect(open()).rejects.toMatchObject({ code })
      expect(await readRaw(raw)).toEqual(before)
    })

    test.each<[string, string, string?]>([
      ['null', 'null'],
      ['a number', '5'],
      ['a text', '"creds"'],
      ['a list', '[]'],
      ['bytes', '{"type":"Buffer","data":"aGk="}'],
      ['an object without creds in it', '{}'],
      ['an identity without its keys', '{"registrationId":7}'],
      ['a key that is text', '{"noiseKey":{"public":"a","private":"b"}}', 'noiseKey'],
      ['a key that is too short', '{"noiseKey":{"private":{"type":"Buffer","data":"aGk="}}}', 'noiseKey'],
      ['a registration id that is text', '{"registrationId":"7"}', 'registrationId'],
      ['no signed pre-key', '{"signedPreKey":null}', 'signedPreKey'],
    ])(
      'a session with these creds is an error, overwrites nothing, and leaves the session to its owner: %s',
      async (_, json, member) => {
        const { open, raw } = await setStage(create)
        const { state } = await open()
        const whole = JSON.parse(serialize(state.creds))
        const damaged = member === undefined ? json : JSON.stringify({ ...whole, ...JSON.parse(json) })
        const bytes = Buffer.from(`\xb1\x00${damaged}`, 'latin1')
        await raw.commit('s', { writes: [{ ...CREDS_FIELD, bytes }], operationId: 'damage' })
        const before = await readRaw(raw)
        const error = await catchError('CORRUPT_VALUE', () => open())
        expect(error.sessionId).toBe('s')
        if (member !== undefined) expect(error.message).toContain(member)
        expect(await readRaw(raw)).toEqual(before)
        await state.keys.set({ session: { a: record('still mine') } })
      },
    )

    test('a session again in the same process takes it from the hook that had it', async () => {
      const { open, openStore } = await setStage(create)
      const { store } = await openStore()
      let losses = 0
      const first = await open({ store, onOwnershipLost: () => losses++ })
      await first.state.keys.set({ session: { a: record('first') } })
      const second = await open({ store })
      for (let n = 0; n < 3; n++) {
        const late = first.state.keys.set({ session: { a: record('late') } })
        await expect(late).rejects.toMatchObject({ code: 'FENCED' })
        await expect(first.saveCreds()).rejects.toMatchObject({ code: 'FENCED' })
      }
      expect(losses).toBe(1)
      expect(await second.state.keys.get('session', ['a'])).toEqual({ a: record('first') })
      await second.state.keys.set({ session: { a: record('second') } })
    })
  })
}

function reviveBuffers(_: string, value: { type?: string; data?: number[] } | null): unknown {
  return value?.type === 'Buffer' ? Buffer.from(value.data ?? []) : value
}
