import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHybridStore, useHybridAuthState } from '../../src/hybrid/index.js'
import { createMongoStore, useMongoAuthState } from '../../src/mongodb/index.js'
import { createRedisStore, useRedisAuthState } from '../../src/redis/index.js'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { startRedis } from '../support/redis/redis-server.js'
import { KINDS, putIntoMongo, putIntoRedis } from '../support/release-candidate.js'

/** Servers of its own: what is found there has the default prefix. */
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
  return { redis, client, documents, openers }
}

const CASES = [
  ['redis', 'redis'],
  ['mongodb', 'mongodb'],
  ['hybrid', 'redis'],
  ['hybrid', 'mongodb'],
] as const

describe.each(KINDS)('a session of 1.0.0-rc.4, %s', kind => {
  test.each(CASES)('is not taken for a new one by the %s store, with data in %s', async (name, place) => {
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

test('only what that release has written is foreign', async () => {
  const { client, documents, openers } = await setUp()
  await client.set('baileys:auth:s', 'of an application')
  await client.set('baileys:auth:s:other', 'of an application')
  await client.hset('baileys:auth:s:creds', 'a', 'b')
  await documents.insertOne({ _id: 's', mine: true } as { _id: string })
  for (const name of ['redis', 'mongodb', 'hybrid'] as const) {
    const { use } = await openers[name]()
    await (await use('s')).close()
    await (await use('s/')).close() // in MongoDB the head of "s" has that name
  }
})

test('that nobody can look for it is an outage, and no new session', async () => {
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

test('a phone number in the name of a key is not told', async () => {
  const { client, openers } = await setUp()
  await client.set('baileys:auth:15550001234:meta', '{"version":1}')
  const { use } = await openers.redis()
  await expect(use('15550001234')).rejects.toMatchObject({
    code: 'FOREIGN_DATA',
    message: expect.not.stringContaining('15550001234'),
  })
})
