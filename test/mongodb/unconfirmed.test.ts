import { MongoBulkWriteError, MongoClient } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { useMongoAuthState } from '../../src/mongodb/index.js'
import { duplicatesOf } from '../../src/mongodb/mongo-errors.js'
import { openStore, useServer } from '../support/mongodb/own-collection.js'
import { loseMajority } from '../support/mongodb/write-concern.js'

const CREDS = { registrationId: 7 }
const AWAY = { code: 'STORE_UNAVAILABLE' }
const server = useServer('unconfirmed')

async function setUp(resilience = { maxRetries: 3, operationTimeout: 20_000 }) {
  const client = new MongoClient(server.url)
  onTestFinished(() => client.close())
  const majority = loseMajority(client)
  const store = await openStore({ mongoClient: majority.client, ...server.place(), resilience })
  await store.set('s', { creds: CREDS })
  return { store, majority }
}

describe('a write that is applied but not confirmed by the write concern', () => {
  // A wtimeout, a voting member that is down, tags that no member has, too few members, a step-down.
  test.each([64, 91, 79, 100, 189])('is not acknowledged, however often it is repeated: %i', async code => {
    const { store, majority } = await setUp()
    majority.failWith(code)
    await expect(store.set('s', { keys: { session: { a: 1 } } })).rejects.toMatchObject(AWAY)
    await expect(store.delete('s')).rejects.toMatchObject(AWAY)
    majority.failWith(undefined)
    await store.delete('s')
    expect(await store.exists('s')).toBe(false)
  })

  test('is acknowledged once, under its first version, when a repeat has been confirmed', async () => {
    const { store, majority } = await setUp({ maxRetries: 50, operationTimeout: 60_000 })
    majority.failWith(64)
    const before = majority.writes
    const writing = store.set('s', { keys: { session: { a: 1 } } })
    let isDone = false
    void writing.then(() => {
      isDone = true
    })
    await expect.poll(() => majority.writes - before, { timeout: 30_000 }).toBeGreaterThan(3)
    expect(isDone).toBe(false)
    majority.failWith(undefined)
    expect(await writing).toMatchObject({ version: 2, durability: 'durable' })
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 1 })
  })

  test('opens no session', async () => {
    const { store, majority } = await setUp()
    majority.failWith(64)
    await expect(useMongoAuthState({ sessionId: 'new', store })).rejects.toMatchObject(AWAY)
  })
})

test('a bulk with duplicates and a write concern error is not a success', () => {
  const errors = { message: 'E11000', code: 11000, writeErrors: [{ index: 1, code: 11000 }] }
  const failure = (found: unknown) =>
    new MongoBulkWriteError(errors as never, { getWriteConcernError: () => found } as never)
  expect(duplicatesOf(failure(undefined))).toEqual([1])
  expect(duplicatesOf(failure({ code: 64 }))).toBeUndefined()
})
