import { Redis } from 'ioredis'
import type { CreateIndexesOptions, Document, IndexSpecification } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { useHybridAuthState } from '../../src/hybrid/index.js'
import { useMongoAuthState } from '../../src/mongodb/index.js'
import { alterClient } from '../support/mongodb/altered-client.js'
import { openStore, useServer } from '../support/mongodb/own-collection.js'
import { KEEPS_ALL, startRedis } from '../support/redis/redis-server.js'

const CREDS = { registrationId: 7 }
const server = useServer('foreign')

async function expectRefusal(opening: Promise<unknown>, ...said: string[]) {
  const error = await opening.then(
    () => undefined,
    failure => failure,
  )
  expect(error).toMatchObject({ code: 'INVALID_OPTION' })
  for (const words of said) expect(error.message).toContain(words)
}

describe('an index that another store has left', () => {
  const ends = { expireAfterSeconds: 3600 }
  test.each<[string, IndexSpecification, CreateIndexesOptions]>([
    ['unique', { key: 1 }, { unique: true }],
    ['unique on a field of this store', { session: 1 }, { unique: true }],
    ['unique on several fields', { sessionId: 1, key: 1 }, { unique: true }],
    ['unique and sparse', { data: 1 }, { unique: true, sparse: true }],
    ['unique and partial', { v: 1 }, { unique: true, partialFilterExpression: { v: { $exists: true } } }],
    ['with the name of an index of this store', { key: 1 }, { unique: true, name: 'session_1' }],
    ['a TTL index on updatedAt', { updatedAt: 1 }, ends],
    ['a TTL index on createdAt', { createdAt: 1 }, ends],
    ['a TTL index on endsAt', { endsAt: 1 }, ends],
    ['a TTL index on keptUntil', { keptUntil: 1 }, ends],
    ['a TTL index on leaseUntil', { leaseUntil: 1 }, ends],
    ['geospatial on the session', { session: '2dsphere' }, {}],
    ['geospatial on an intent', { intent: '2dsphere' }, {}],
    ['geospatial within an intent', { 'intent.writes': '2dsphere' }, {}],
    ['geospatial on the parts of a write', { writes: '2dsphere' }, {}],
    ['geospatial on a history', { forks: '2dsphere' }, {}],
  ])('is refused by name when it is %s', async (_, key, options) => {
    const place = server.place()
    const documents = server.documents(place.collection)
    const name = await documents.createIndex(key, options)
    const mongodb = { mongoUrl: server.url, ...place }
    await expectRefusal(useMongoAuthState({ sessionId: 's', mongodb }), `"${name}"`, 'drop the index')
    const store = await openStore(mongodb)
    await expectRefusal(store.set('s', { creds: CREDS }), place.collection)
    await expectRefusal(store.claim('s'), place.collection)
    expect(await documents.countDocuments()).toBe(0)
    expect((await documents.indexes()).map(index => index.name).sort()).toEqual(['_id_', name].sort())
    await documents.dropIndex(name)
    expect(await store.set('s', { creds: CREDS })).toMatchObject({ version: 1 })
  })

  test.each<[string, IndexSpecification, CreateIndexesOptions]>([
    ['not unique', { key: 1 }, {}],
    ['unique by _id', { _id: 1, key: 1 }, { unique: true }],
    ['a TTL index on a field that this store does not have', { lastSeen: 1 }, ends],
    [
      'an index of this store under another name, with a longer grace',
      { expiresAt: 1 },
      { ...ends, name: 'mine' },
    ],
  ])('is left as it is when it is %s', async (_, key, options) => {
    const place = server.place()
    const name = await server.documents(place.collection).createIndex(key, options)
    const store = await openStore({ mongoUrl: server.url, ...place })
    await store.set('s', { creds: CREDS, keys: { session: { a: 1, b: 2 } } })
    expect(await store.getKeys('s', 'session', ['a', 'b'])).toEqual({ a: 1, b: 2 })
    const names = (await server.documents(place.collection).indexes()).map(index => index.name)
    expect(names).toContain(name)
  })
})

test('a unique index also makes the hybrid store refuse an opening, before it claims anything in Redis', async () => {
  const redis = await startRedis({ config: KEEPS_ALL })
  const client = new Redis(redis.url)
  onTestFinished(async () => {
    client.disconnect()
    await redis.stop()
  })
  const { database, collection } = server.place()
  await server.documents(collection).createIndex({ key: 1 }, { unique: true })
  const hybrid = {
    redisUrl: redis.url,
    mongoUrl: server.url,
    mongoDatabase: database,
    mongoCollection: collection,
  }
  await expectRefusal(useHybridAuthState({ sessionId: 's', hybrid }), '"key_1"')
  expect(await client.keys('*')).toEqual([])
  expect(await server.documents(collection).countDocuments()).toBe(0)
})

describe('a collection', () => {
  const described = (answer: Document) =>
    alterClient(server.client, {
      command: ({ listCollections, filter }) =>
        listCollections && Promise.resolve({ cursor: { firstBatch: [{ name: filter.name, ...answer }] } }),
    })
  const open = (answer: Document) => {
    const place = server.place()
    const mongodb = { mongoClient: described(answer), ...place }
    return {
      opening: useMongoAuthState({ sessionId: 's', mongodb }),
      documents: server.documents(place.collection),
    }
  }
  const type = 'collection'

  test.each<[string, Document]>([
    ['view', { type: 'view', options: { viewOn: 'other' } }],
    ['timeseries', { type: 'timeseries', options: { timeseries: { timeField: 'at' } } }],
    ['capped', { type, options: { capped: true, size: 1_000_000 } }],
    ['collation', { type, options: { collation: { locale: 'en', strength: 2 } } }],
    ['encryptedFields', { type, options: { encryptedFields: { fields: [] } } }],
    ['validator', { type, options: { validator: { $jsonSchema: { required: ['key'] } } } }],
    ['validator', { type, options: { validator: { key: 1 }, validationLevel: 'moderate' } }],
  ])('that is or has a %s is refused: %j', async (name, answer) => {
    const { opening, documents } = open(answer)
    await expectRefusal(opening, name, 'another collection')
    expect(await documents.indexes().catch(() => [])).toEqual([])
    expect(await documents.countDocuments()).toBe(0)
  })

  test.each<Document>([
    { type, options: {} },
    { type, options: { clusteredIndex: { key: { _id: 1 }, unique: true } } },
    { type, options: { validator: {} } },
    { type, options: { validator: { key: 1 }, validationAction: 'warn' } },
    { type, options: { validator: { key: 1 }, validationLevel: 'off' } },
    { type, options: { storageEngine: {}, changeStreamPreAndPostImages: { enabled: true } } },
    {},
  ])('that can hold the documents of the store is used: %j', async answer => {
    const { opening } = open(answer)
    const { state, close } = await opening
    await state.keys.set({ session: { a: new Uint8Array([1]) } })
    await close()
  })

  test('is used when the user may not read its description', async () => {
    const hidden = () => Promise.reject(Object.assign(new Error('not authorized'), { code: 13 }))
    const mongoClient = alterClient(server.client, {
      command: command => (command.listCollections ? hidden() : undefined),
      documents: () => ({ indexes: hidden }),
    })
    const store = await openStore({ mongoClient, ...server.place() })
    expect(await store.set('s', { creds: CREDS })).toMatchObject({ version: 1 })
  })

  test('is not taken for sound when the server is shutting down during the check', async () => {
    let isDown = true
    const away = () => Promise.reject(Object.assign(new Error('shutting down'), { code: 91 }))
    const mongoClient = alterClient(server.client, {
      documents: documents => ({ indexes: () => (isDown ? away() : documents.indexes()) }),
    })
    const place = server.place()
    const name = await server.documents(place.collection).createIndex({ key: 1 }, { unique: true })
    const store = await openStore({ mongoClient, ...place, resilience: { maxRetries: 0 } })
    await expect(store.claim('s')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    isDown = false
    await expectRefusal(store.claim('s'), name)
  })
})
