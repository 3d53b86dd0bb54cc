import { describe, expect, test } from 'vitest'
import { killBurst, writeKeysElsewhere } from '../../support/store-child.js'
import { CREDS, type CreateStoreDatabase, setUp } from './harness.js'

const TOTAL = 1000

/** All 250 writes of a process begin at once, on a machine that may be busy. */
const PATIENT = { resilience: { operationTimeout: 60_000 } }

export function describeConcurrency(create: CreateStoreDatabase): void {
  describe('concurrent writes', () => {
    test('of 1,000 different keys all survive, from one process', async () => {
      const { open } = await setUp(create)
      const stores = [await open(), await open()]
      await stores[0]?.set('s', { creds: CREDS })
      const ids = Array.from({ length: TOTAL }, (_, n) => `k${n}`)
      const written = await Promise.all(
        ids.map((id, n) => stores[n % 2]?.set('s', { keys: { session: { [id]: id } } })),
      )
      expect(new Set(written.map(result => result?.version)).size).toBe(TOTAL)
      expect(await stores[0]?.getKeys('s', 'session', ids)).toEqual(
        Object.fromEntries(ids.map(id => [id, id])),
      )
      expect((await stores[0]?.get('s'))?.version).toBe(TOTAL + 1)
    })

    test('of 1,000 different keys all survive, from four processes', async () => {
      const { database, open } = await setUp(create)
      const store = await open()
      await store.set('s', { creds: CREDS })
      const tasks = ['a', 'b', 'c', 'd'].map(prefix =>
        writeKeysElsewhere(database.source(PATIENT), {
          kind: 'keys',
          sessionId: 's',
          prefix,
          count: TOTAL / 4,
        }),
      )
      const versions = (await Promise.all(tasks)).flat()
      expect(new Set(versions).size).toBe(TOTAL)
      expect(await store.listKeys('s', 'session')).toHaveLength(TOTAL)
      expect((await store.get('s'))?.version).toBe(TOTAL + 1)
    })
  })

  test('kill -9 in the middle of writing loses nothing acknowledged and leaves no partial write', async () => {
    const { database, open } = await setUp(create)
    const store = await open()
    await store.set('s', { creds: CREDS })
    const width = 200
    const ids = Array.from({ length: width }, (_, i) => `k${i}`)
    let least = 0
    for (const after of [3, 10, 25]) {
      const acknowledged = await killBurst(database.source(), { kind: 'burst', sessionId: 's', width }, after)
      const values = Object.values(await store.getKeys('s', 'burst', ids))
      expect(values).toHaveLength(width)
      expect(new Set(values).size).toBe(1)
      expect(values[0]).toBeGreaterThanOrEqual(acknowledged)
      const { version } = await store.set('s', { appState: { stillWritable: true } })
      expect(version).toBeGreaterThan(least)
      least = version
    }
  })
}
