import { describe, expect, test } from 'vitest'
import type { CodecStore } from '../../../src/core/store/codec-store.js'
import { sessionsOf } from '../../support/sessions-of.js'
import { CREDS, type CreateStoreDatabase, expectRefusal, setUp } from './harness.js'

/** Whole sessions: existence, lists, batches, expiry and deletion. */
export function describeSessions(create: CreateStoreDatabase): void {
  describe('a session', () => {
    test('is null before it is written and after it is deleted', async () => {
      const store = await (await setUp(create)).open()
      expect([await store.get('s'), await store.exists('s')]).toEqual([null, false])
      await store.set('s', { creds: CREDS })
      expect(await store.exists('s')).toBe(true)
      await store.delete('s')
      expect([await store.get('s'), await store.exists('s')]).toEqual([null, false])
    })

    test('has creds that can be read alone, without taking it from its owner', async () => {
      const store = await (await setUp(create)).open()
      expect(await store.getCreds('s')).toBeNull()
      await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
      const { fencingToken } = await store.claim('s')
      const { data, ...whole } = (await store.get('s')) ?? {}
      expect(await store.getCreds('s')).toEqual({ ...whole, data: data?.creds })
      await store.set('s', { keys: { session: { a: 2 } } }, undefined, fencingToken)
      await store.delete('s')
      expect(await store.getCreds('s')).toBeNull()
    })

    test('is deleted as durably as it was written, and the result says so, alone and in a batch', async () => {
      const store = await (await setUp(create)).open()
      const { durability } = await store.set('a', { creds: CREDS })
      await store.set('b', { creds: CREDS })
      expect(await store.delete('a')).toEqual({ durability })
      expect(await store.batchDelete(['b'])).toEqual([{ sessionId: 'b', value: { durability } }])
      expect(await store.delete('never-written')).toEqual({ durability: 'durable' })
    })

    test('begins with its creds: a first write without them is refused and writes nothing', async () => {
      const { open, openElsewhere } = await setUp(create)
      for (const store of [await open(), await openElsewhere()]) {
        for (const patch of [{ keys: { session: { a: 1 } } }, { appState: { greeted: true } }]) {
          for (const expectedVersion of [undefined, 0]) {
            const writing = store.set('s', patch, expectedVersion)
            await expect(writing).rejects.toMatchObject({ code: 'SESSION_INCOMPLETE' })
            await expect(writing).rejects.toThrow('no such session')
          }
        }
        expect(await store.get('s')).toBeNull()
        expect((await store.claim('s')).creds).toBeNull()
        await store.set('s', { creds: CREDS })
        await store.set('s', { keys: { session: { a: 1 } }, appState: { greeted: true } })
        expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 1 })
        await store.delete('s')
        const late = store.set('s', { keys: { session: { a: 2 } } })
        await expect(late).rejects.toMatchObject({ code: 'SESSION_INCOMPLETE' })
        expect(await store.get('s')).toBeNull()
      }
    })

    test('lists its keys, all or by type, without creds and app state', async () => {
      const store = await (await setUp(create)).open()
      const keys = { session: { a: 1, b: 2 }, 'pre-key': { 1: 3 } }
      await store.set('s', { creds: CREDS, keys, appState: { x: 1 } })
      expect(await store.listKeys('s', 'session')).toEqual([
        { type: 'session', id: 'a' },
        { type: 'session', id: 'b' },
      ])
      expect(await store.listKeys('s')).toHaveLength(3)
      expect(await store.listKeys('none')).toEqual([])
    })

    test('lives for as long as touch says, where 0 means for ever', async () => {
      const store = await (await setUp(create)).open({ ttl: { defaultTtl: 3600 } })
      expect(store.ttlSeconds).toBe(3600)
      await store.set('s', { creds: CREDS })
      await expect(store.touch('s', -1)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await store.touch('s', 0)
      await store.touch('s', Number.POSITIVE_INFINITY)
      await store.touch('s')
      expect(await store.exists('s')).toBe(true)
      await store.touch('s', 0.000_001)
      await expect.poll(() => store.exists('s')).toBe(false)
    })
  })

  describe('a stale write', () => {
    test('is refused and changes nothing', async () => {
      const store = await (await setUp(create)).open()
      const { version } = await store.set('s', { creds: CREDS }, 0)
      await store.set('s', { keys: { session: { a: 1 } } }, version)
      await expectRefusal(store, 's', 'VERSION_MISMATCH', () =>
        store.set('s', { keys: { session: { a: 2, b: 2 } } }, version),
      )
      await expectRefusal(store, 's', 'VERSION_MISMATCH', () => store.delete('s', version))
    })

    test('of an earlier owner is refused and changes nothing', async () => {
      const { open } = await setUp(create)
      const [one, other] = [await open(), await open()]
      await one.set('s', { creds: CREDS })
      const first = await one.claim('s')
      const second = await other.claim('s')
      expect(second.fencingToken).toBeGreaterThan(first.fencingToken)
      expect(second).toMatchObject({ version: 1, creds: CREDS })
      const late = { keys: { session: { a: 'late' } } }
      await expectRefusal(one, 's', 'FENCED', () => one.set('s', late, undefined, first.fencingToken))
      await expectRefusal(one, 's', 'FENCED', () => one.delete('s', undefined, first.fencingToken))
      await other.set('s', { keys: { session: { a: 'mine' } } }, undefined, second.fencingToken)
    })
  })

  test('lists go over all sessions, page by page', async () => {
    const store = await (await setUp(create)).open()
    const names = Array.from({ length: 250 }, (_, n) => `bot-${n}`)
    const updates = names.map(sessionId => ({ sessionId, patch: { creds: CREDS } }))
    for (let from = 0; from < updates.length; from += 50) {
      const written = await store.batchSet(updates.slice(from, from + 50))
      expect(written.filter(result => 'error' in result)).toEqual([])
    }
    const found = (await sessionsOf(store)).map(({ sessionId }) => sessionId)
    expect(found.sort()).toEqual([...names].sort())
    const first = await store.list()
    expect(first.sessionIds).toHaveLength(100)
    expect((await store.list({ limit: 1 })).sessionIds).toEqual(first.sessionIds.slice(0, 1))
    await expect(store.list({ limit: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(store.list({ limit: 1001 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test('batches return one result for each session', async () => {
    const store = await (await setUp(create)).open()
    const written = await store.batchSet([
      { sessionId: 'a', patch: { creds: CREDS } },
      { sessionId: 'b', patch: { creds: CREDS }, expectedVersion: 5 },
      { sessionId: '', patch: { creds: CREDS } },
    ])
    expect(written).toMatchObject([
      { sessionId: 'a', value: { version: 1 } },
      { sessionId: 'b', error: { code: 'VERSION_MISMATCH' } },
      { sessionId: '', error: { code: 'INVALID_SESSION_ID' } },
    ])
    const hole = { error: { code: 'INVALID_SESSION_ID' } }
    expect(await store.batchGet(new Array(2))).toMatchObject([hole, hole])
    expect(await store.batchGet(['a', 'b'])).toMatchObject([
      { sessionId: 'a', value: { version: 1, data: { creds: CREDS } } },
      { sessionId: 'b', value: null },
    ])
    expect(await store.batchDelete(['a', 'b'])).toHaveLength(2)
    expect(await store.exists('a')).toBe(false)
  })

  test('a list without a cursor, or with that of a last page, begins with the first session', async () => {
    const store = await (await setUp(create)).open()
    await store.set('s', { creds: CREDS })
    for (const cursor of [undefined, null]) {
      expect(await store.list({ cursor })).toEqual({ sessionIds: ['s'], cursor: null })
    }
  })

  test('the names of earlier releases for opening and closing a store are kept', async () => {
    const store = (await (await setUp(create)).open()) as CodecStore
    await store.connect()
    await store.set('s', { creds: CREDS })
    await store.disconnect()
    await expect(store.connect()).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(store.get('s')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('a closed store refuses every call, though another one on the database is open', async () => {
    const { open } = await setUp(create)
    const [store, other] = [await open(), await open()]
    expect(await store.isHealthy()).toBe(true)
    await store.close()
    await store.close()
    const closed = { code: 'CLOSED' }
    await expect(store.get('s')).rejects.toMatchObject(closed)
    await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject(closed)
    await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject(closed)
    await expect(store.claim('s')).rejects.toMatchObject(closed)
    await expect(store.list()).rejects.toMatchObject(closed)
    expect([await store.isHealthy(), await other.isHealthy()]).toEqual([false, true])
  })
}
