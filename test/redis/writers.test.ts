import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Logger, nullLogger } from '../../src/core/logger.js'
import { createHybridStore, useHybridAuthState } from '../../src/hybrid/index.js'
import { createRedisStore, useRedisAuthState } from '../../src/redis/index.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

let server: RedisServer
let mongo: MongoServer
beforeAll(async () => {
  ;[server, mongo] = await Promise.all([startRedis(), startMongo({ shared: true })])
}, 240_000)
afterAll(() => Promise.all([server?.stop(), mongo?.stop()]))

/** A client whose server reports these lines in INFO; KeyDB and Redis Software are not available here. */
function openClient(change: (info: string) => string | Promise<string>): Redis {
  const client = new Redis(server.url)
  const info = client.info.bind(client) as (...input: unknown[]) => Promise<string>
  // ioredis itself asks with a callback, whether the server has loaded its data.
  const ask = async (...input: unknown[]) => (input.length > 0 ? info(...input) : change(await info()))
  Object.assign(client, { info: ask })
  onTestFinished(() => client.disconnect())
  return client
}

const SEVERAL: [string, (info: string) => string][] = [
  ['KeyDB with active replicas', info => info.replace('role:master', 'role:active-replica')],
  [
    'an Active-Active database',
    info => `${info}# CRDT Context\r\ncrdt_config_version:1\r\ncrdt_slots:0-16383\r\n`,
  ],
]

describe.each(SEVERAL)('%s', (_, change) => {
  test('is refused to an opener, and the owner keeps the session', async () => {
    const healthy = await createRedisStore({ redisUrl: server.url })
    const owner = await useRedisAuthState({ sessionId: 's', store: healthy })
    const opening = useRedisAuthState({ sessionId: 's', redis: { redis: openClient(change) } })
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(opening).rejects.toThrow('several servers take writes')
    await owner.state.keys.set({ 'lid-mapping': { a: '1' } })
    await owner.close()
    await healthy.close()
  })

  test('is refused to an opener of the hybrid store, before it takes a token of MongoDB', async () => {
    const name = `writers-${Date.now()}`
    const place = { mongoUrl: mongo.url, mongoDatabase: name, prefix: name }
    const healthy = await createHybridStore({ ...place, redisUrl: server.url })
    const owner = await useHybridAuthState({ sessionId: 'h', store: healthy })
    const hybrid = { ...place, redis: openClient(change) }
    const opening = useHybridAuthState({ sessionId: 'h', hybrid })
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(opening).rejects.toThrow('several servers take writes')
    await owner.state.keys.set({ 'lid-mapping': { a: '1' } })
    await owner.close()
    await healthy.close()
  })
})

test.each([
  ['INFO is refused', () => Promise.reject<string>(new Error('NOPERM'))],
  ['INFO is empty', () => ''],
])('a server whose %s is opened', async (_, change) => {
  const bot = await useRedisAuthState({ sessionId: `${_}`, redis: { redis: openClient(change) } })
  await bot.saveCreds()
  await bot.close()
})

test('a replica causes a warning', async () => {
  const warnings: string[] = []
  const logger: Logger = { ...nullLogger, warn: (_context, text) => warnings.push(text) }
  const replica = await startRedis({ config: ['--replicaof', `127.0.0.1 ${server.port}`] })
  const store = await createRedisStore({ redisUrl: replica.url, security: { logger } })
  onTestFinished(async () => {
    await store.close()
    await replica.stop()
  })
  await store.isHealthy()
  await expect.poll(() => warnings).toContainEqual(expect.stringContaining('is a replica'))
})
