import { describe, expect, test } from 'vitest'
import type { Rewind } from '../../../src/index.js'
import { CREDS, type CreateStoreDatabase, setUp } from './harness.js'

/** A database that goes back in time under the process that uses it. */
export function describeRewinds(create: CreateStoreDatabase): void {
  async function setUpRewind() {
    const { database, open } = await setUp(create)
    const store = await open()
    const rewinds: Rewind[] = []
    store.onRewind(rewind => rewinds.push(rewind))
    await store.set('s', { creds: CREDS, keys: { session: { a: 'old', b: 'old' } } })
    const restore = await database.remember()
    await store.set('s', { keys: { session: { a: 'new' } } })
    await store.set('s', { keys: { session: { b: null, c: 'new' } } })
    return { open, store, rewinds, restore }
  }

  const expected = { a: 'new', c: 'new' }
  const report = { sessionId: 's', seenVersion: 3, foundVersion: 1, rewrittenFields: 3 }

  describe('a database that has gone back', () => {
    test('is noticed by the next read, which returns what this process has written', async () => {
      const { store, rewinds, restore } = await setUpRewind()
      await restore()
      expect(await store.getKeys('s', 'session', ['a', 'b', 'c'])).toEqual(expected)
      expect(rewinds).toEqual([report])
      expect((await store.get('s'))?.version).toBeGreaterThan(3)
    })

    test('is noticed by the next write, which follows the lost writes', async () => {
      const { store, rewinds, restore } = await setUpRewind()
      await restore()
      await store.set('s', { keys: { session: { d: 'newest' } } })
      expect((await store.get('s'))?.data.keys).toEqual({ session: { ...expected, d: 'newest' } })
      expect(rewinds).toEqual([report])
    })

    test('is noticed by a claim', async () => {
      const { store, rewinds, restore } = await setUpRewind()
      await restore()
      expect((await store.claim('s')).version).toBeGreaterThan(3)
      expect(rewinds).toEqual([report])
    })

    test('is noticed through any store of the process, even one that has not used the session', async () => {
      const { open, restore } = await setUpRewind()
      const other = await open()
      await restore()
      expect((await other.get('s'))?.data.keys).toEqual({ session: expected })
    })

    test('still has the same owner', async () => {
      const { store, restore } = await setUpRewind()
      const [earlier, present] = [await store.claim('s'), await store.claim('s')]
      await restore()
      await store.getKeys('s', 'session', ['a'])
      const late = store.set('s', { keys: { session: { d: 1 } } }, undefined, earlier.fencingToken)
      await expect(late).rejects.toMatchObject({ code: 'FENCED' })
      await store.set('s', { keys: { session: { d: 2 } } }, undefined, present.fencingToken)
    })

    test('causes no report for sessions that were not written meanwhile', async () => {
      const { database, open } = await setUp(create)
      const store = await open()
      const rewinds: Rewind[] = []
      store.onRewind(rewind => rewinds.push(rewind))
      await store.set('s', { creds: CREDS })
      await (await database.remember())()
      expect(await store.get('s')).toMatchObject({ version: 1 })
      expect(rewinds).toEqual([])
    })
  })

  test('a session that another store has deleted is absent, and no rewind', async () => {
    const { open, store, rewinds } = await setUpRewind()
    const other = await open()
    await other.delete('s')
    expect(await store.get('s')).toBeNull()
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({})
    await store.set('s', { creds: CREDS, keys: { session: { z: 1 } } })
    expect((await store.get('s'))?.data.keys).toEqual({ session: { z: 1 } })
    expect(rewinds).toEqual([])
  })
}
