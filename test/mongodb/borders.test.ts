import { Long, MongoClient } from 'mongodb'
import { describe, expect, test } from 'vitest'
import { type Logger, nullLogger } from '../../src/core/logger.js'
import { useMongoAuthState } from '../../src/mongodb/index.js'
import { openStore, useServer } from '../support/mongodb/own-collection.js'

const CREDS = { registrationId: 7 }
const KEYS = { session: { a: 1, b: 2 } }
const server = useServer('borders')

/** Opens stores; one of `client` remembers nothing of what those of `open` have done. */
async function setUp(logger: Logger = nullLogger) {
  const place = server.place()
  const open = () => openStore({ mongoUrl: server.url, ...place, security: { logger } })
  const client = () => openStore({ mongoClient: server.client, ...place })
  return { place, open, client, documents: server.documents(place.collection) }
}

describe('a foreign index', () => {
  test.each<[object, object]>([
    [{ key: 1 }, { unique: true }],
    [{ session: 1 }, { unique: true }],
    [{ updatedAt: 1 }, { expireAfterSeconds: 60 }],
  ])('%j with %j is named in the error when the store is opened', async (key, options) => {
    const { open, documents, place } = await setUp()
    await documents.createIndex(key as { key: 1 }, { ...options, name: 'theirs' })
    const store = await open()
    const refused = { code: 'INVALID_OPTION', message: expect.stringContaining('"theirs"') }
    await expect(store.set('s', { creds: CREDS, keys: KEYS })).rejects.toMatchObject(refused)
    const mongodb = { mongoUrl: server.url, ...place }
    await expect(useMongoAuthState({ sessionId: 's', mongodb })).rejects.toMatchObject(refused)
    expect(await documents.countDocuments()).toBe(0)
  })

  test('that is created later keeps writes from being acknowledged, and loses none', async () => {
    const { open, documents } = await setUp()
    const store = await open()
    await store.set('s', { creds: CREDS })
    await documents
      .createIndex({ key: 1 }, { unique: true, name: 'theirs', sparse: false })
      .catch(async () => {
        await documents.updateOne({ _id: 's/' }, { $set: { key: 1 } })
        await documents.createIndex({ key: 1 }, { unique: true, name: 'theirs' })
      })
    const refused = { code: 'INVALID_OPTION', message: expect.stringContaining('"theirs"') }
    await expect(store.set('s', { keys: KEYS })).rejects.toMatchObject(refused)
    await expect(store.set('t', { creds: CREDS })).rejects.toMatchObject(refused)
    await documents.dropIndex('theirs')
    await store.set('s', { keys: { session: { c: 3 } } })
    expect((await store.get('s'))?.data.keys).toEqual({ session: { ...KEYS.session, c: 3 } })
  })
})

describe('a head', () => {
  test.each<[string, object]>([
    ['without a version', { $unset: { v: '' } }],
    ['with a text for a version', { $set: { v: '3' } }],
    ['with a version beyond the limit', { $set: { v: 1e20 } }],
    ['with NaN for a version', { $set: { v: Number.NaN } }],
    ['with a huge Long', { $set: { v: Long.MAX_VALUE } }],
    ['with a negative instant', { $set: { updatedAt: new Date(-1) } }],
    ['without an instant', { $unset: { updatedAt: '' } }],
    ['with a text for an end', { $set: { endsAt: 'soon' } }],
    ['with an intent of a billion parts', { $set: { intent: { v: 1, chain: 'ab', parts: 1e9 } } }],
    ['with an intent that has lost a part', { $set: { intent: { v: 1, chain: 'ab', parts: 1 } } }],
    ['with invalid writes', { $set: { intent: { v: 1, writes: [{ at: 5 }] } } }],
    [
      'with a write whose data are null',
      { $set: { intent: { v: 1, writes: [{ at: 'session/a', data: null }] } } },
    ],
    ['of another session', { $set: { session: 'other' } }],
  ])('%s is damage of that session alone, and can be deleted', async (_, damage) => {
    const { open, client, documents, place } = await setUp()
    const writer = await open()
    await writer.set('s', { creds: CREDS, keys: KEYS })
    await writer.set('t', { creds: CREDS })
    await documents.updateOne({ _id: 's/' }, damage)
    const before = await documents.find({}, { promoteLongs: false }).toArray()
    const store = await client()
    const corrupt = { code: 'CORRUPT_VALUE', sessionId: 's' }
    await expect(store.get('s')).rejects.toMatchObject(corrupt)
    await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject(corrupt)
    await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject(corrupt)
    const mongodb = { mongoClient: server.client, ...place }
    await expect(useMongoAuthState({ sessionId: 's', mongodb })).rejects.toMatchObject(corrupt)
    expect(await documents.find({}, { promoteLongs: false }).toArray()).toEqual(before)
    expect(await store.exists('t')).toBe(true)
    await store.delete('s')
    expect(await store.get('s')).toBeNull()
    await store.set('s', { creds: CREDS })
    expect((await store.get('s'))?.data.keys).toEqual({})
  })
})

test.each([
  'late',
  'isPart',
  'incarnation',
  'forks',
  'endsAt',
  'keptUntil',
  'expiresAt',
  'leaseUntil',
  'barredBelow',
  'intent',
])('a head whose "%s" is null is read like one without it', async member => {
  const { open, client, documents } = await setUp()
  await (await open()).set('s', { creds: CREDS, keys: KEYS })
  await documents.updateOne({ _id: 's/' }, { $set: { [member]: null } })
  const store = await client()
  expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 1 })
  const { fencingToken } = await store.claim('s')
  await store.set('s', { keys: { session: { a: 3 } } }, undefined, fencingToken)
  expect(await store.get('s')).toMatchObject({ data: { creds: CREDS, keys: { session: { a: 3, b: 2 } } } })
})

test.each<[string, object]>([
  ['without a version', { $unset: { v: '' } }],
  ['with a text for a version', { $set: { v: 'x' } }],
  ['with a version beyond the limit', { $set: { v: 1e20 } }],
  ['without data', { $unset: { data: '' } }],
  ['with a text for data', { $set: { data: 'x' } }],
])('a field %s is damage, and its session can be deleted', async (_, damage) => {
  const { open, client, documents } = await setUp()
  await (await open()).set('s', { creds: CREDS, keys: KEYS })
  await documents.updateOne({ _id: 's/session/a' }, damage)
  const store = await client()
  await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
  await store.delete('s')
  await store.set('s', { creds: CREDS })
  expect((await store.get('s'))?.data.keys).toEqual({})
})

test('a foreign document is left out of lists, and reported once', async () => {
  const warnings: string[] = []
  const { open, documents } = await setUp({ ...nullLogger, warn: (_, text) => warnings.push(text) })
  const store = await open()
  await store.set('s', { creds: CREDS })
  await documents.insertMany([
    { _id: 'theirs', session: 'a' },
    { _id: 'huge', session: 'b'.repeat(65_536) },
  ])
  expect((await store.list()).sessionIds).toEqual(['s'])
  expect((await store.list()).sessionIds).toEqual(['s'])
  expect(warnings).toHaveLength(1)
})

test('a deletion through a client with ignoreUndefined deletes the session', async () => {
  const own = new MongoClient(server.url, { ignoreUndefined: true })
  const store = await openStore({ mongoClient: own, ...server.place() })
  await store.set('s', { creds: CREDS, keys: KEYS })
  await store.delete('s')
  expect(await store.exists('s')).toBe(false)
  await store.set('s', { creds: CREDS })
  expect((await store.get('s'))?.data.keys).toEqual({})
  await own.close()
})
