import { afterAll, expect, onTestFinished, test } from 'vitest'
import { useHybridAuthState } from '../../src/hybrid/index.js'
import { useMongoAuthState } from '../../src/mongodb/index.js'
import { useRedisAuthState } from '../../src/redis/index.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { startRedis } from '../support/redis/redis-server.js'

/** The deadline of one call; closing waits less, 10 seconds. */
const resilience = { operationTimeout: 60_000 }
/** These 10 seconds, and what a busy machine may add. */
const PATIENCE_MS = 20_000

const redis = await startRedis()
const mongo = await startMongo()
const toRedis = await startFaultProxy(redis.port)
const toMongo = await startFaultProxy(mongo.port)
afterAll(async () => {
  await Promise.all([toRedis.close(), toMongo.close()])
  await Promise.all([redis.stop(), mongo.stop()])
})

const redisUrl = `redis://127.0.0.1:${toRedis.port}`
const mongoUrl = `mongodb://127.0.0.1:${toMongo.port}`
const session = { sessionId: 's', ownership: 'exclusive' } as const
const HOOKS = {
  redis: () => useRedisAuthState({ ...session, redis: { redisUrl, resilience } }),
  mongodb: () =>
    useMongoAuthState({ ...session, mongodb: { mongoUrl, collection: 'mongodb_alone', resilience } }),
  hybrid: () =>
    useHybridAuthState({ ...session, hybrid: { redisUrl, mongoUrl, prefix: 'hybrid', resilience } }),
}

test.each(Object.entries(HOOKS))(
  '%s: a hook closes in a bounded time while no server answers, with creds to save and a lease to end',
  async (_, open) => {
    const { state, saveCreds, close } = await open()
    const releases = [toRedis.hold(), toMongo.hold()]
    onTestFinished(() => {
      for (const release of releases) release()
    })
    state.creds.nextPreKeyId = 813
    const saving = saveCreds()
    saving.catch(() => {}) // no server answers
    const beganMs = performance.now()
    await close()
    expect(performance.now() - beganMs).toBeLessThan(PATIENCE_MS)
    await expect(state.keys.set({ session: { a: new Uint8Array(1) } })).rejects.toMatchObject({
      code: 'CLOSED',
    })
  },
)
