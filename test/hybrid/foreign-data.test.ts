import { Redis } from 'ioredis'
import { type Document, type Filter, MongoClient, MongoServerError } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHybridStore, useHybridAuthState } from '../../src/hybrid/index.js'
import { createMongoStore, useMongoAuthState } from '../../src/mongodb/index.js'
import { createRedisStore, useRedisAuthState } from '../../src/redis/index.js'
import { alterClient } from '../support/mongodb/altered-client.js'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { recordCommands } from '../support/mongodb/record-commands.js'
import { countCommands } from '../support/redis/count-commands.js'
import { startRedisCluster } from '../support/redis/redis-cluster.js'
import { openCluster } from '../support/redis/redis-database.js'
import { startRedis } from '../support/redis/redis-server.js'
import { KINDS, putIntoMongo, putIntoRedis } from '../support/release-candidate.js'

/** Servers of its own, since the foreign data has the default prefix. */
async function setUp() {
  const [redis, mongo] = await Promise.all([startRedis(), startMongo({ shared: true })])
  const client = new Redis(redis.url)
  const durable = new MongoClient(mongo.url)
  const mongoDatabase = `foreign-${process.pid}-${redis.port}`
  const documents = durable.db(mongoDatabase).collection<{ _id: string }>('auth')
  onTestFinished(async () => {
    await documents.drop().catch(() => {})
    await Promise.all([client.quit(), durable.close()])
    await Promise.all([redis.stop(), mongo.stop()])
  })
  const closing = <S extends { close(): Promise<void> }>(store: S): S => {
    onTestFinished(() => store.close())
    return store
  }
  const openers = {
    async redis() {
      const store = closing(await createRedisStore({ redisUrl: redis.url }))
      return {
        store,
        use: (sessionId: string, more = {}) => useRedisAuthState({ sessionId, store, ...more }),
      }
    },
    async mongodb() {
      const store = closing(await createMongoStore({ mongoUrl: mongo.url, database: mongoDatabase }))
      return {
        store,
        use: (sessionId: string, more = {}) => useMongoAuthState({ sessionId, store, ...more }),
      }
    },
    async hybrid() {
      const place = { redisUrl: redis.url, mongoUrl: mongo.url, mongoDatabase }
      const store = closing(await createHybridStore(place))
      return {
        store,
        use: (sessionId: string, more = {}) => useHybridAuthState({ sessionId, store, ...more }),
      }
    },
  }
  return { redis, mongo, mongoDatabase, client, documents, openers }
}

const CASES = [
  ['redis', 'redis'],
  ['mongodb', 'mongodb'],
  ['hybrid', 'redis'],
  ['hybrid', 'mongodb'],
] as const

describe.each(KINDS)('a session of 1.0.0-rc.4, %s', kind => {
  test.each(CASES)('is not mistaken for a new one by the %s store, with data in %s', async (name, place) => {
    const { client, documents, openers } = await setUp()
    if (place === 'redis') await putIntoRedis(client, kind)
    else await putIntoMongo(documents, kind)
    const { store, use } = await openers[name]()
    const where = place === 'redis' ? 'a key "baileys:auth:old:creds" in Redis' : 'in MongoDB'
    const foreign = { code: 'FOREIGN_DATA', sessionId: 'old', message: expect.stringContaining(where) }
    for (const ownership of ['last-opener', 'exclusive']) {
      await expect(use('old', { ownership })).rejects.toMatchObject(foreign)
    }
    expect(await store.exists('old')).toBe(false)
    expect(await client.keys('baileys:auth:{*:keys')).toEqual([])
    expect(await documents.countDocuments({ _id: { $ne: 'old' } })).toBe(0)

    const first = await use('old', { ignoreForeignData: true })
    await first.close()
    const again = await use('old') // it exists here by now
    expect(again.state.creds.noiseKey).toEqual(first.state.creds.noiseKey)
    await again.close()
    await (await use('another')).close()
  })
})

test('only data that 1.0.0-rc.4 has written counts as foreign', async () => {
  const { client, documents, openers } = await setUp()
  await client.set('baileys:auth:s', 'of an application')
  await client.set('baileys:auth:s:other', 'of an application')
  await client.hset('baileys:auth:s:creds', 'a', 'b')
  await client.rpush('baileys:auth:s:keys', 'of an application')
  const ofApplication = [
    { _id: 's', mine: true },
    { _id: 'versioned', version: 3, updatedAt: new Date() },
    { _id: 'other', version: '1.2', creds: { user: 'admin' } },
  ]
  await documents.insertMany(ofApplication)
  for (const name of ['redis', 'mongodb', 'hybrid'] as const) {
    const { use } = await openers[name]()
    await (await use('s')).close()
    await (await use('s/')).close() // in MongoDB the head of "s" has that name
    await (await use('{s}')).close() // in Redis the hashes of "s" have those names
    for (const sessionId of ['versioned', 'other']) await (await use(sessionId)).close()
  }
})

test('an outbox of 1.0.0-rc.4 alone is not mistaken for nothing', async () => {
  const { client, openers } = await setUp()
  await client.hset('outbox:old', '1', '{"id":"1","sessionId":"old","patch":{}}')
  const { use } = await openers.hybrid()
  const found = { code: 'FOREIGN_DATA', message: expect.stringContaining('a key "outbox:old" in Redis') }
  await expect(use('old')).rejects.toMatchObject(found)
  await (await use('{old}')).close() // the outbox of a session "old" of this release has that name
})

test('the error names what each of the two databases has of the session', async () => {
  const { client, documents, openers } = await setUp()
  await putIntoRedis(client, 'encrypted')
  await putIntoMongo(documents, 'encrypted')
  const { use } = await openers.hybrid()
  const opening = use('old')
  await expect(opening).rejects.toMatchObject({ code: 'FOREIGN_DATA' })
  await expect(opening).rejects.toThrow('in Redis and a document with its name as "_id" in MongoDB')
})

test('a foreign session in a Cluster is found in a slot other than that of our keys', async () => {
  const servers = await startRedisCluster()
  const cluster = openCluster(servers.nodes)
  onTestFinished(async () => {
    cluster.disconnect()
    await servers.stop()
  })
  const use = (sessionId: string) => useRedisAuthState({ sessionId, redis: { redis: cluster } })
  for (const part of ['creds', 'keys', 'meta']) {
    await cluster.set(`baileys:auth:of ${part}:${part}`, 'left')
    await expect(use(`of ${part}`)).rejects.toMatchObject({ code: 'FOREIGN_DATA' })
  }
  await (await use('new')).close()
})

test('an existing session is opened without a look-up of foreign data', async () => {
  const { client, mongo, mongoDatabase } = await setUp()
  const mongoClient = new MongoClient(mongo.url, { monitorCommands: true })
  onTestFinished(() => mongoClient.close())
  const store = await createHybridStore({
    redisUrl: `redis://127.0.0.1:${client.options.port}`,
    mongoClient,
    mongoDatabase,
  })
  onTestFinished(() => store.close())
  const opening = async (sessionId: string) => {
    let types: number | undefined
    const commands = await recordCommands(mongoClient, async () => {
      const sent = await countCommands(client, async () =>
        (await useHybridAuthState({ sessionId, store })).close(),
      )
      types = sent.type
    })
    return { types, finds: commands.filter(({ command }) => command.filter?._id === sessionId).length }
  }
  expect(await opening('s')).toEqual({ types: 4, finds: 1 })
  expect(await opening('s')).toEqual({ types: undefined, finds: 0 })
})

test('a MongoDB that fails the look-up of foreign data is an outage, and no new session', async () => {
  const { mongo, mongoDatabase, documents } = await setUp()
  const client = new MongoClient(mongo.url)
  onTestFinished(() => client.close())
  let isAway = true
  const mongoClient = alterClient(client, {
    documents: real => ({
      find(filter: Filter<Document>, ...rest: never[]) {
        const refuse = () => Promise.reject(new MongoServerError({ message: 'shutting down', code: 91 }))
        return isAway && `${filter._id}` === 's' ? { toArray: refuse } : real.find(filter, ...rest)
      },
    }),
  })
  const resilience = { maxRetries: 0 }
  const store = await createMongoStore({ mongoClient, database: mongoDatabase, resilience })
  onTestFinished(() => store.close())
  const use = () => useMongoAuthState({ sessionId: 's', store })
  await expect(use()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', sessionId: 's' })
  expect(await documents.countDocuments()).toBe(0)
  isAway = false
  await (await use()).close()
})

test('a Redis that refuses the look-up of foreign data is an outage, and no new session', async () => {
  const { redis, openers } = await setUp()
  const store = await createRedisStore({ redisUrl: redis.url, resilience: { maxRetries: 0 } })
  onTestFinished(() => store.close())
  const client = new Redis(redis.url)
  onTestFinished(() => void client.disconnect())
  await client.acl('SETUSER', 'default', '-type')
  await expect(useRedisAuthState({ sessionId: 's', store })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  })
  await client.acl('SETUSER', 'default', '+type')
  expect(await (await openers.redis()).store.exists('s')).toBe(false)
})

test('a phone number in the name of a key does not appear in the error', async () => {
  const { redis, client, openers } = await setUp()
  await client.set('baileys:auth:15550001234:meta', '{"version":1}')
  const { use } = await openers.redis()
  await expect(use('15550001234')).rejects.toMatchObject({
    code: 'FOREIGN_DATA',
    message: expect.not.stringContaining('15550001234'),
  })

  // The first occurrence of the name is not always that of the session.
  const prefix = 'of:15550001234'
  await client.set(`${prefix}:15550001234:creds`, 'left')
  const opening = useRedisAuthState({ sessionId: '15550001234', redis: { redisUrl: redis.url, prefix } })
  await expect(opening).rejects.toMatchObject({
    code: 'FOREIGN_DATA',
    message: expect.not.stringContaining('15550001234'),
  })
})
