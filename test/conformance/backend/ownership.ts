import { describe, expect, test } from 'vitest'
import { type Backend, CREDS_FIELD } from '../../../src/core/backend.js'
import {
  Clock,
  type CreateDatabase,
  DAY_MS,
  deletion,
  expectRefusal,
  openBackends,
  put,
  texts,
} from './harness.js'

const OVER = { call: { isAbandoned: true } }

export function describeOwnership(create: CreateDatabase): void {
  test.each<[string, (backend: Backend) => Promise<unknown>]>([
    ['claim', backend => backend.claim('s', OVER)],
    ['commit', backend => put(backend, 's', { a: 'late' }, OVER)],
    ['deletion', backend => backend.delete('s', { ...deletion(), ...OVER })],
  ])('a %s whose caller waits no more changes nothing', async (_, late) => {
    const open = await openBackends(create)
    const [one, other] = [await open(), await open()]
    await put(one, 's', { a: 'first' })
    const { fencingToken } = await other.claim('s')
    await expectRefusal(one, 's', 'CLOSED', () => late(one))
    await put(other, 's', { a: 'second' }, { fencingToken })
  })

  describe('claim', () => {
    test('hands out growing tokens, whichever backend is asked', async () => {
      const open = await openBackends(create)
      const [one, other] = [await open(), await open()]
      const claims = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? one : other).claim('s')))
      expect(new Set(claims.map(({ fencingToken }) => fencingToken)).size).toBe(20)
      const { fencingToken } = await one.claim('s')
      expect(fencingToken).toBeGreaterThan(Math.max(...claims.map(claim => claim.fencingToken)))
    })

    test('of an absent session finds nothing and creates nothing', async () => {
      const backend = await (await openBackends(create))()
      const { head, creds } = await backend.claim('s')
      expect({ exists: head.exists, version: head.version, creds }).toEqual({
        exists: false,
        version: 0,
        creds: undefined,
      })
      expect((await backend.read('s', [])).head.exists).toBe(false)
      expect(await backend.list(10, undefined)).toEqual({ sessionIds: [], cursor: null })
    })

    test('finds version and creds of a session, and changes neither', async () => {
      const backend = await (await openBackends(create))()
      await backend.commit('s', {
        writes: [{ ...CREDS_FIELD, bytes: Buffer.from('creds') }],
        operationId: 'one',
      })
      const { head, creds, fencingToken } = await backend.claim('s')
      expect(head).toMatchObject({ exists: true, version: 1, fence: fencingToken })
      expect(Buffer.from(creds ?? []).toString()).toBe('creds')
      expect((await backend.read('s', [])).head).toMatchObject({ version: 1, fence: fencingToken })
    })
  })

  describe('a fencing token', () => {
    test('lets its owner write until the next claim, and never after', async () => {
      const open = await openBackends(create)
      const [one, other] = [await open(), await open()]
      const first = await one.claim('s')
      await put(one, 's', { a: '1' }, { fencingToken: first.fencingToken })
      const second = await other.claim('s')
      await put(other, 's', { a: '2' }, { fencingToken: second.fencingToken })
      const late = () => put(one, 's', { a: 'late' }, { fencingToken: first.fencingToken })
      await expectRefusal(one, 's', 'FENCED', late)
      await expect(late()).rejects.toMatchObject({ token: first.fencingToken, current: second.fencingToken })
      await expectRefusal(one, 's', 'FENCED', () =>
        one.delete('s', deletion({ fencingToken: first.fencingToken })),
      )
      await put(other, 's', { a: '3' }, { fencingToken: second.fencingToken })
      expect(await texts(one, 's', ['a'])).toEqual(['3'])
    })

    test('belongs to one session', async () => {
      const backend = await (await openBackends(create))()
      const { fencingToken } = await backend.claim('a')
      for (const sessionId of ['a:b', 'a*', 'ab']) await backend.claim(sessionId)
      expect((await put(backend, 'a', { x: '1' }, { fencingToken })).version).toBe(1)
    })

    test('stays refused after a delete, within a day and later', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ now: clock.now })
      const { fencingToken } = await backend.claim('s')
      await put(backend, 's', { a: '1' }, { fencingToken })
      await backend.delete('s', deletion())
      for (const passes of [0, DAY_MS - 1, DAY_MS * 2]) {
        clock.advance(passes)
        await backend.claim('another') // triggers a sweep of what has expired
        await expectRefusal(backend, 's', 'FENCED', () => put(backend, 's', { a: 'late' }, { fencingToken }))
      }
      const next = await backend.claim('s')
      expect(next.fencingToken).toBeGreaterThan(fencingToken)
      expect(next.head.exists).toBe(false)
    })
  })
}
