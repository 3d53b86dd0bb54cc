import { makeCacheableSignalKeyStore } from '@whiskeysockets/baileys'
import { describe, expect, test } from 'vitest'
import { SessionMemory } from '../../../src/core/store/session-memory.js'
import { CREDS, type CreateStoreDatabase } from '../auth-store/harness.js'
import { record, setStage } from './harness.js'

const CACHE = { cacheBytes: 1024 * 1024 }

export function describeCache(create: CreateStoreDatabase): void {
  describe('the cache of an owner', () => {
    async function setUp() {
      const stage = await setStage(create)
      const { store, backend } = await stage.openStore(CACHE)
      const { keys } = (await stage.open({ store })).state
      const read = (...ids: string[]) => keys.get('session', ids)
      const write = (id: string, text: string) => keys.set({ session: { [id]: record(text) } })
      return { ...stage, store, backend, keys, read, write }
    }

    /** An owner without a hook, whose cache holds `a`. */
    async function setUpOwner() {
      const { openStore, open } = await setStage(create)
      const { store, backend } = await openStore(CACHE)
      await store.set('s', { creds: CREDS })
      const { fencingToken } = await store.claim('s')
      const readAsOwner = () => store.getKeys('s', 'session', ['a'], fencingToken)
      await store.set('s', { keys: { session: { a: record('own') } } }, undefined, fencingToken)
      const before = backend.count('read')
      expect(await readAsOwner()).toEqual({ a: record('own') })
      expect(backend.count('read')).toBe(before)
      return { open, store, fencingToken, readAsOwner }
    }

    test('holds every key that was written or read, absent ones included', async () => {
      const { backend, read, write } = await setUp()
      await write('a', 'one')
      expect(await read('none')).toEqual({})
      const before = backend.count('read')
      expect(await read('a', 'none')).toEqual({ a: record('one') })
      expect(backend.count('read')).toBe(before)
      expect(await read('b', 'a')).toEqual({ a: record('one') })
      expect(backend.count('read')).toBe(before + 1)
    })

    test('hands out copies, also of bytes', async () => {
      const { keys, read, write } = await setUp()
      await write('a', 'one')
      // biome-ignore lint/suspicious/noExplicitAny: as `record`
      const first = (await read('a')) as Record<string, any>
      first.a._sessions.text = 'changed'
      expect(await read('a')).toEqual({ a: record('one') })
      const key = { private: Buffer.from([1]), public: Buffer.from([2]) }
      await keys.set({ 'pre-key': { 1: key } })
      key.private.fill(9)
      const { 1: found } = await keys.get('pre-key', ['1'])
      found?.private.fill(8)
      const expected = { private: Buffer.from([1]), public: Buffer.from([2]) }
      expect(await keys.get('pre-key', ['1'])).toEqual({ 1: expected })
    })

    test('is not filled by a write that has failed', async () => {
      const { backend, read, write } = await setUp()
      await write('a', 'one')
      backend.fail('commit')
      await expect(write('a', 'two')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.heal()
      expect(await read('a')).toEqual({ a: record('one') })
      await write('a', 'three')
      expect(await read('a')).toEqual({ a: record('three') })
    })

    test('gives no answers after a write whose answer was lost', async () => {
      const { backend, read, write } = await setUp()
      await write('a', 'one')
      backend.loseAnswers('commit')
      await expect(write('a', 'two')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.heal()
      expect(await read('a')).toEqual({ a: record('two') })
    })

    test('gives no answers after the database has gone back, even while a write is under way', async () => {
      const { backend, remember, read, write } = await setUp()
      await write('a', 'one')
      const goBack = await remember()
      await write('b', 'one')
      await goBack()
      const gate = backend.hold('commit')
      const writing = write('c', 'one')
      await gate.reached
      await read('d')
      const before = backend.count('read')
      expect(await read('a', 'b')).toEqual({ a: record('one'), b: record('one') })
      expect(backend.count('read')).toBe(before + 1)
      gate.open()
      await writing
    })

    test('answers while the database is away', async () => {
      const { backend, read, write } = await setUp()
      await write('a', 'one')
      backend.fail('read')
      expect(await read('a')).toEqual({ a: record('one') })
      await expect(read('b')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    })

    test('is not shared with the next owner, on the same store or another', async () => {
      const { open, store, read, write } = await setUp()
      await write('a', 'one')
      for (const options of [{ store }, CACHE]) {
        const next = await open(options)
        expect(await next.state.keys.get('session', ['a'])).toEqual({ a: record('one') })
        await next.state.keys.set({ session: { a: record('next') } })
        expect(await next.state.keys.get('session', ['a'])).toEqual({ a: record('next') })
        await next.state.keys.set({ session: { a: record('one') } })
      }
      await expect(read('a')).rejects.toMatchObject({ code: 'FENCED' })
    })

    test('ends with the ownership', async () => {
      const { open, read, write } = await setUp()
      await write('a', 'one')
      const next = await open(CACHE)
      await next.state.keys.set({ session: { a: record('next') } })
      await expect(write('b', 'late')).rejects.toMatchObject({ code: 'FENCED' })
      await expect(read('a')).rejects.toMatchObject({ code: 'FENCED' })
    })

    test('ends when the lease cannot be renewed', async () => {
      const { store, open, readAsOwner, fencingToken } = await setUpOwner()
      const next = await open(CACHE)
      await next.state.keys.set({ session: { a: record('next') } })
      await expect(store.renewLease('s', fencingToken)).rejects.toMatchObject({ code: 'FENCED' })
      await expect(readAsOwner()).rejects.toMatchObject({ code: 'FENCED' })
    })

    test('ends when the lease is released', async () => {
      const { store, open, readAsOwner, fencingToken } = await setUpOwner()
      await store.releaseLease('s', fencingToken)
      const next = await open(CACHE)
      await next.state.keys.set({ session: { a: record('next') } })
      await expect(readAsOwner()).rejects.toMatchObject({ code: 'FENCED' })
    })

    test('answers only a caller that presents the token', async () => {
      const { store, backend, write } = await setUp()
      await write('a', 'one')
      const before = backend.count('read')
      expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: record('one') })
      expect(await store.getKeys('s', 'session', ['a'], 2 ** 50)).toEqual({
        a: record('one'),
      })
      expect(backend.count('read')).toBe(before + 2)
    })

    test('does not answer for a store opened without a cache, beside one opened with it', async () => {
      const { openStore } = await setStage(create)
      const memory = new SessionMemory()
      const { store } = await openStore({ ...CACHE, memory })
      await store.set('s', { creds: CREDS })
      const { fencingToken } = await store.claim('s')
      await store.set('s', { keys: { session: { a: 1 } } }, undefined, fencingToken)
      const without = await openStore({ memory })
      const before = without.backend.count('read')
      expect(await without.store.getKeys('s', 'session', ['a'], fencingToken)).toEqual({ a: 1 })
      expect(without.backend.count('read')).toBe(before + 1)
    })

    test('takes in writes past the hook: those of its own store at once, those of another with the next write', async () => {
      const { openStore, store, read, write } = await setUp()
      await write('a', 'one')
      await store.set('s', { keys: { session: { a: record('two') } } })
      expect(await read('a')).toEqual({ a: record('two') })
      const other = (await openStore()).store
      await other.set('s', { keys: { session: { a: record('three') } } })
      await write('b', 'b')
      expect(await read('a')).toEqual({ a: record('three') })
    })

    test('ends with the session', async () => {
      const { store, read, write } = await setUp()
      await write('a', 'one')
      await store.delete('s')
      await expect(read('a')).rejects.toMatchObject({ code: 'FENCED' })
    })

    test('may be wrapped in the cache of Baileys, which is not needed', async () => {
      const { keys, read } = await setUp()
      const wrapped = makeCacheableSignalKeyStore(keys)
      await wrapped.set({ session: { a: record('one') } })
      expect(await wrapped.get('session', ['a', 'none'])).toMatchObject({ a: record('one') })
      expect(await read('a')).toEqual({ a: record('one') })
    })

    test('holds no part of a write that it has not seen whole', async () => {
      const { backend, keys, read, write } = await setUp()
      await write('a', 'one')
      const gate = backend.hold('read')
      const reading = read('a', 'b')
      await gate.reached
      await keys.set({ session: { a: record('two'), b: record('two') } })
      gate.open()
      expect(await reading).toEqual({ a: record('two'), b: record('two') })
    })
  })
}
