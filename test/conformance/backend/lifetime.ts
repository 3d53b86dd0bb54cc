import { describe, expect, test } from 'vitest'
import { Clock, type CreateDatabase, DAY_MS, deletion, field, openBackends, put, texts } from './harness.js'

const TTL_MS = 1000

export function describeLifetime(create: CreateDatabase): void {
  describe('delete', () => {
    test('removes the session with all its fields, and no session with a similar name', async () => {
      const backend = await (await openBackends(create))()
      const names = ['a', 'a:b', 'a*', 'a/b', 'ab', 'A']
      for (const name of names) await put(backend, name, { x: name })
      await backend.delete('a', deletion())
      expect(await texts(backend, 'a', ['x'])).toEqual([undefined])
      expect((await backend.readAll('a')).fields).toEqual([])
      for (const name of names.slice(1)) expect(await texts(backend, name, ['x'])).toEqual([name])
      expect((await backend.list(10, undefined)).sessionIds.sort()).toEqual(names.slice(1).sort())
    })

    test('is applied once when it is sent twice with one operation id', async () => {
      const backend = await (await openBackends(create))()
      const { fencingToken } = await backend.claim('s')
      await put(backend, 's', { a: '1' }, { fencingToken })
      const once = deletion({ fencingToken, expectedVersion: 1 })
      await backend.delete('s', once)
      const { version } = (await backend.read('s', [])).head
      await backend.delete('s', once)
      expect((await backend.read('s', [])).head).toMatchObject({ exists: false, version })
    })

    test('is no error for an absent session', async () => {
      const backend = await (await openBackends(create))()
      await backend.delete('none', deletion())
      expect((await backend.read('none', [])).head.exists).toBe(false)
    })

    test('takes a version; the next session of that name continues from it, without the old fields', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ now: clock.now })
      await put(backend, 's', { old: '1' })
      const { version } = await put(backend, 's', { old: '2' })
      await backend.delete('s', deletion())
      const tombstone = await backend.read('s', [])
      expect(tombstone.head).toMatchObject({ exists: false, version: version + 1 })
      clock.advance(3 * DAY_MS)
      await backend.claim('another')
      expect((await backend.read('s', [])).head.version).toBeGreaterThan(version)
      const next = await put(backend, 's', { new: '1' }, { expectedVersion: 0 })
      expect(next.version).toBeGreaterThan(version + 1)
      expect(await texts(backend, 's', ['old', 'new'])).toEqual([undefined, '1'])
    })
  })

  describe('a session with a ttl', () => {
    test('is absent to every reader once it has expired', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ ttlMs: TTL_MS, now: clock.now })
      await put(backend, 's', { a: '1' })
      clock.advance(TTL_MS - 1)
      expect(await texts(backend, 's', ['a'])).toEqual(['1'])
      clock.advance(1)
      expect(await texts(backend, 's', ['a'])).toEqual([undefined])
      expect(await backend.readAll('s')).toMatchObject({ head: { exists: false }, fields: [] })
      expect(await backend.list(10, undefined)).toEqual({ sessionIds: [], cursor: null })
      expect(await backend.listFields('s', undefined)).toEqual([])
    })

    test('is still there for its owner once it has expired, but not for an earlier owner', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ ttlMs: TTL_MS, now: clock.now })
      const former = await backend.claim('s')
      const { fencingToken } = await backend.claim('s')
      await put(backend, 's', { a: '1' }, { fencingToken })
      clock.advance(TTL_MS + DAY_MS / 2)
      const readAs = async (token?: number) => {
        const { head, values } = await backend.read('s', [field('a'), field('none')], token)
        return [head.exists, ...values.map(bytes => bytes && Buffer.from(bytes).toString())]
      }
      expect(await readAs(fencingToken)).toEqual([true, '1', undefined])
      expect(await backend.listFields('s', undefined, fencingToken)).toEqual([field('a')])
      expect(await readAs(former.fencingToken)).toEqual([false, undefined, undefined])
      expect(await readAs()).toEqual([false, undefined, undefined])
      await backend.claim('s')
      expect(await readAs(fencingToken)).toEqual([false, undefined, undefined])
    })

    test('lives on whole with each commit and each claim', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ ttlMs: TTL_MS, now: clock.now })
      await put(backend, 's', { a: '1' })
      clock.advance(600)
      await put(backend, 's', { b: '2' })
      clock.advance(600)
      await backend.claim('s')
      clock.advance(600)
      expect(await texts(backend, 's', ['a', 'b'])).toEqual(['1', '2'])
    })

    test('is renewed by touch, for the given time or for ever', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ ttlMs: TTL_MS, now: clock.now })
      await put(backend, 's', { a: '1' })
      await backend.touch('s', 5000)
      clock.advance(4999)
      expect(await texts(backend, 's', ['a'])).toEqual(['1'])
      await backend.touch('s', null)
      clock.advance(100 * 365 * DAY_MS)
      expect(await texts(backend, 's', ['a'])).toEqual(['1'])
    })

    test('lives as long as its last commit says, if that says so', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ ttlMs: TTL_MS, now: clock.now })
      await put(backend, 's', { a: '1' }, { lifeMs: 5000 })
      await put(backend, 'for ever', { a: '1' }, { lifeMs: null })
      clock.advance(TTL_MS + 1)
      await put(backend, 's', { b: '2' }, { lifeMs: 'kept' })
      await put(backend, 'for ever', { b: '2' }, { lifeMs: 'kept' })
      clock.advance(5000 - TTL_MS - 2)
      expect(await texts(backend, 's', ['a', 'b'])).toEqual(['1', '2'])
      clock.advance(1)
      expect(await texts(backend, 's', ['a', 'b'])).toEqual([undefined, undefined])
      clock.advance(100 * 365 * DAY_MS)
      expect(await texts(backend, 'for ever', ['a', 'b'])).toEqual(['1', '2'])
      await put(backend, 'for ever', { c: '3' })
      clock.advance(TTL_MS)
      expect(await texts(backend, 'for ever', ['c'])).toEqual([undefined])
    })

    test('is neither created nor brought back by touch', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ ttlMs: TTL_MS, now: clock.now })
      await backend.touch('none', null)
      expect((await backend.read('none', [])).head.exists).toBe(false)
      await put(backend, 's', { a: '1' })
      clock.advance(TTL_MS)
      await backend.touch('s', null)
      expect((await backend.read('s', [])).head.exists).toBe(false)
    })

    test('begins anew for a later owner after it has expired, at a higher version and without its fields', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ ttlMs: TTL_MS, now: clock.now })
      const first = await backend.claim('s')
      const { version } = await put(backend, 's', { old: '1' }, { fencingToken: first.fencingToken })
      clock.advance(TTL_MS)
      const second = await backend.claim('s')
      expect(second).toMatchObject({ head: { exists: false }, creds: undefined })
      await put(backend, 's', { new: '1' }, { fencingToken: second.fencingToken })
      expect(await texts(backend, 's', ['old', 'new'])).toEqual([undefined, '1'])
      expect((await backend.read('s', [])).head.version).toBeGreaterThan(version)
    })

    test('begins anew for a write without a token after it has expired', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ ttlMs: TTL_MS, now: clock.now })
      await put(backend, 's', { old: '1' })
      clock.advance(TTL_MS)
      expect((await put(backend, 's', { new: '1' }, { expectedVersion: 0 })).version).toBeGreaterThan(1)
      expect(await texts(backend, 's', ['old', 'new'])).toEqual([undefined, '1'])
    })

    test('comes back whole when its owner writes after it has expired', async () => {
      const clock = new Clock()
      const backend = await (await openBackends(create))({ ttlMs: TTL_MS, now: clock.now })
      const { fencingToken } = await backend.claim('s')
      await put(backend, 's', { a: '1' }, { fencingToken })
      clock.advance(TTL_MS)
      await put(backend, 's', { b: '2' }, { fencingToken })
      expect(await texts(backend, 's', ['a', 'b'])).toEqual(['1', '2'])
    })
  })
}
