import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { createHybridStore, type HybridAuthStore, type HybridOptions } from '../../../src/hybrid/index.js'
import { type MongoServer, startMongo } from '../mongodb/mongodb-server.js'
import { type RedisServer, startRedis } from '../redis/redis-server.js'

let opened = 0

/** Servers for the tests of a file, and how a test opens a store on them: each has a place of its own. */
export function shareServers() {
  const servers = {} as { redis: RedisServer; mongo: MongoServer }
  beforeAll(async () => {
    const [redis, mongo] = await Promise.all([startRedis(), startMongo({ shared: true })])
    Object.assign(servers, { redis, mongo })
  }, 240_000)
  afterAll(() => Promise.all([servers.redis?.stop(), servers.mongo?.stop()]))

  async function open(options: HybridOptions = {}): Promise<HybridAuthStore> {
    const name = `hybrid-${process.pid}-${opened++}`
    const store = await createHybridStore({
      redisUrl: servers.redis.url,
      mongoUrl: servers.mongo.url,
      mongoCollection: name,
      prefix: name,
      ...options,
    })
    onTestFinished(() => store.close())
    return store
  }

  return { servers, open }
}
