import { Redis } from 'ioredis'
import { onTestFinished } from 'vitest'
import { createHybridStore, type HybridOptions } from '../../../src/hybrid/index.js'
import { startMongo } from '../mongodb/mongodb-server.js'
import { KEEPS_ALL, startRedis } from '../redis/redis-server.js'

/** Two servers for one test, which may kill them, and stores on them. All end with the test. */
export async function startOwnServers() {
  const [redis, mongo] = await Promise.all([startRedis({ config: KEEPS_ALL }), startMongo()])
  const closing: { close(): Promise<void> }[] = []
  onTestFinished(async () => {
    await Promise.all(closing.map(store => store.close()))
    await Promise.all([redis.stop(), mongo.stop()])
  })
  const open = async (more: HybridOptions = {}) => {
    const store = await createHybridStore({ redisUrl: redis.url, mongoUrl: mongo.url, ...more })
    closing.push(store)
    return store
  }
  const client = new Redis(redis.url).on('error', () => {}) // a test may kill Redis
  closing.push({ close: async () => client.disconnect() })
  return { redis, mongo, open, client }
}
