import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll } from 'vitest'
import { createHybridStore, type HybridAuthStore } from '../../src/hybrid/index.js'
import { KeyNames } from '../../src/redis/key-names.js'
import { describeStoredBytes } from '../conformance/auth-store/stored-bytes.js'
import { IDLE } from '../support/hybrid/outbox-place.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import type { FuzzPlace } from '../support/stored-bytes/fuzz-place.js'
import { mongodbMembers } from '../support/stored-bytes/mongodb-members.js'
import { redisMembers } from '../support/stored-bytes/redis-members.js'

let redis: RedisServer
let mongo: MongoServer
let client: Redis
let mongoClient: MongoClient
beforeAll(async () => {
  ;[redis, mongo] = await Promise.all([startRedis({ shared: true }), startMongo({ shared: true })])
  client = new Redis(redis.url)
  mongoClient = new MongoClient(mongo.url)
}, 240_000)
afterAll(async () => {
  client.disconnect()
  await mongoClient.close()
  await Promise.all([redis.stop(), mongo.stop()])
})

/** The last write waits in the outbox; the others are in MongoDB. */
async function create(): Promise<FuzzPlace> {
  const name = `stored-bytes-${process.pid}`
  const documents = mongoClient.db('stored-bytes').collection<{ _id: string }>(name)
  const names = new KeyNames(name, { hasOutbox: true })
  const [hot, durable] = [redisMembers(client, names), mongodbMembers(documents)]
  let opened = 0
  return {
    open({ masterKey }) {
      const process = `process-${opened++}`
      return createHybridStore({
        masterKey,
        redisUrl: redis.url,
        redisOptions: { connectionName: process },
        prefix: name,
        mongoUrl: mongo.url,
        mongoOptions: { appName: process },
        mongoDatabase: 'stored-bytes',
        mongoCollection: name,
        enableWriteBehind: true,
        queue: IDLE,
      })
    },
    of: async sessionId => [...(await hot.of(sessionId)), ...(await durable.of(sessionId))],
    settle: store => (store as HybridAuthStore).reconcileOutbox(),
    cool: sessionId => client.del(names.of(sessionId)[0], names.of(sessionId)[1]),
    clear: sessionId => Promise.all([hot.clear(sessionId), durable.clear(sessionId)]),
    remove: async () => void (await documents.drop()),
  }
}
describeStoredBytes('hybrid', create, 20)
