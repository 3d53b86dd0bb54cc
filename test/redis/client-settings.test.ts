import { Cluster, Command, type RedisOptions as IoredisOptions, Redis } from 'ioredis'
import { Command as Command5, Redis as Redis5 } from 'ioredis-5'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  createRedisStore,
  type GivenRedis,
  type RedisOptions,
  useRedisAuthState,
} from '../../src/redis/index.js'
import { type RedisClusterServers, startRedisCluster } from '../support/redis/redis-cluster.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

let server: RedisServer
let cluster: RedisClusterServers
beforeAll(async () => {
  server = await startRedis()
  cluster = await startRedisCluster()
}, 120_000)
afterAll(async () => {
  await server.stop()
  await cluster.stop()
})

let sessions = 0

/** The whole life of a session, checked by what its calls return. */
async function live(options: RedisOptions): Promise<void> {
  const sessionId = `life-${sessions++}`
  const redis = { ...options, resilience: { maxRetries: 20, retryBaseDelay: 5 } }
  const first = await useRedisAuthState({ sessionId, redis })
  const { registrationId } = first.state.creds
  await first.saveCreds()
  await first.state.keys.set({ 'lid-mapping': { a: '1', b: '2' } })
  await first.state.keys.set({ 'lid-mapping': { b: null } })
  expect(await first.state.keys.get('lid-mapping', ['a', 'b'])).toEqual({ a: '1' })

  const store = await createRedisStore({ ...redis, cache: false })
  expect(await store.get(sessionId)).toMatchObject({
    version: expect.any(Number),
    data: { creds: { registrationId }, keys: { 'lid-mapping': { a: '1' } } },
  })
  expect(await store.getKeys(sessionId, 'lid-mapping', ['a', 'b'])).toEqual({ a: '1' })
  expect(await store.listKeys(sessionId)).toEqual([{ type: 'lid-mapping', id: 'a' }])
  expect((await store.list({ limit: 1000 })).sessionIds).toContain(sessionId)

  const second = await useRedisAuthState({ sessionId, redis })
  expect(second.state.creds.registrationId).toBe(registrationId)
  expect(await second.state.keys.get('lid-mapping', ['a'])).toEqual({ a: '1' })
  await expect(first.state.keys.set({ 'lid-mapping': { c: '3' } })).rejects.toMatchObject({ code: 'FENCED' })
  await second.close()
  await first.close()
  await store.touch(sessionId)
  await store.delete(sessionId)
  expect(await store.get(sessionId)).toBeNull()
  expect(await store.isHealthy()).toBe(true)
  await store.close()
}

const COPED_WITH: [string, IoredisOptions][] = [
  ['stringNumbers', { stringNumbers: true }],
  ['keyPrefix', { keyPrefix: 'app:[1]*}:' }],
  ['enableAutoPipelining', { enableAutoPipelining: true }],
  [
    'auto-pipelining with exceptions',
    { enableAutoPipelining: true, autoPipeliningIgnoredCommands: ['hmget'] },
  ],
  ['auto-pipelining with stringNumbers', { enableAutoPipelining: true, stringNumbers: true }],
  ['commandTimeout', { commandTimeout: 5000 }],
  ['blockingTimeout', { blockingTimeout: 1 }],
  ['socketTimeout', { socketTimeout: 5000 }],
  ['no offline queue', { enableOfflineQueue: false }],
  ['no resending', { autoResendUnfulfilledCommands: false }],
  ['maxRetriesPerRequest null', { maxRetriesPerRequest: null }],
  ['maxRetriesPerRequest 0', { maxRetriesPerRequest: 0 }],
  ['another database', { db: 5 }],
  ['friendly stacks', { showFriendlyErrorStack: true }],
  ['lazyConnect', { lazyConnect: true }],
  ['an eager connection', { lazyConnect: false }],
  ['no ready check', { enableReadyCheck: false }],
  ['a name', { connectionName: 'bots' }],
  ['scripts of its own', { scripts: { baileysStore_commit: { lua: 'return 7', numberOfKeys: 0 } } }],
  ['a connection that reconnects on errors', { reconnectOnError: () => 2 }],
  ['no Nagle', { noDelay: false, keepAlive: 1 }],
]
const OF_VERSION_6: [string, IoredisOptions][] = [
  ['RESP2', { protocol: 2 }],
  ['RESP3', { protocol: 3 }],
  ['the shapes of RESP3', { protocol: 3, replyMapping: 'resp3' }],
]

const fitsCluster = ([, { db, enableAutoPipelining, stringNumbers }]: [string, IoredisOptions]) =>
  db === undefined && !(enableAutoPipelining && stringNumbers)

describe('a session lives its whole life with this option of ioredis:', () => {
  test.each([...COPED_WITH, ...OF_VERSION_6])('%s, as redisOptions', async (_, redisOptions) => {
    await live({ redisUrl: server.url, redisOptions })
  })

  test.each([...COPED_WITH, ...OF_VERSION_6])('%s, of a client of ioredis 6', async (_, options) => {
    const client = new Redis(server.url, options as object)
    onTestFinished(() => client.disconnect())
    await live({ redis: client })
  })

  test.each(COPED_WITH)('%s, of a client of ioredis 5', async (_, options) => {
    const client = new Redis5(server.url, options as object)
    onTestFinished(() => client.disconnect())
    await live({ redis: client })
  })

  test.each(COPED_WITH.filter(fitsCluster))('%s, of a Cluster', async (_, options) => {
    const { keyPrefix, scripts, enableOfflineQueue, enableAutoPipelining, lazyConnect, ...redisOptions } =
      options
    const own = { keyPrefix, scripts, enableOfflineQueue, enableAutoPipelining, lazyConnect }
    const given = Object.entries(own).filter(([, value]) => value !== undefined)
    const client = new Cluster(cluster.nodes, {
      ...Object.fromEntries(given),
      redisOptions: redisOptions as object,
    })
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    await live({ redis: client })
  })
})

const REFUSED: [string, IoredisOptions & { dropBufferSupport?: boolean }][] = [
  ['readOnly', { readOnly: true }],
  ['role', { sentinels: [{ host: 'localhost' }], name: 'mymaster', role: 'slave' }],
  ['keyPrefix', { keyPrefix: 'app{1}:' }],
  ['keyPrefix', { keyPrefix: Buffer.from('app:') as unknown as string }],
  ['monitor', { monitor: true }],
  ['dropBufferSupport', { dropBufferSupport: true }],
]

describe('this setting is refused by name before anything is sent:', () => {
  test.each(REFUSED)('%s as redisOptions', async (option, redisOptions) => {
    const opening = createRedisStore({ redisOptions })
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(opening).rejects.toThrow(`"${option}" of "redis.redisOptions" must be`)
  })

  test.each(REFUSED)('%s of a client', async (option, options) => {
    const client = new Redis({ ...options, lazyConnect: true } as object)
    const opening = createRedisStore({ redis: client })
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(opening).rejects.toThrow(`"${option}" of "redis.redis" must be`)
  })

  test.each(['slave', 'all', () => undefined])('scaleReads at %s', async scaleReads => {
    const client = new Cluster(cluster.nodes, { scaleReads: scaleReads as 'slave', lazyConnect: true })
    await expect(createRedisStore({ redis: client })).rejects.toThrow('"scaleReads" of "redis.redis" must be')
  })

  test('auto-pipelining of a Cluster with stringNumbers, with which ioredis ends the process', async () => {
    const redisOptions = { stringNumbers: true }
    const redis = new Cluster(cluster.nodes, { enableAutoPipelining: true, lazyConnect: true, redisOptions })
    await expect(createRedisStore({ redis })).rejects.toThrow('leave one out')
  })

  test('a pipeline instead of a client', async () => {
    const client = new Redis(server.url, { lazyConnect: true })
    const redis = client.pipeline() as unknown as GivenRedis
    await expect(createRedisStore({ redis })).rejects.toThrow('must be a Redis or Cluster')
  })

  test('a subscribed client, which is later STORE_UNAVAILABLE with that reason', async () => {
    const client = new Redis(server.url, { protocol: 2 })
    onTestFinished(() => client.disconnect())
    const store = await createRedisStore({ redis: client, resilience: { maxRetries: 0 } })
    await client.subscribe('news')
    await expect(store.get('s')).rejects.toThrow('subscribed to channels')
    await expect(createRedisStore({ redis: client })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})

describe('reply transformers, which belong to all clients of a process', () => {
  test.each([
    ['ioredis 6', Command, () => new Redis(server.url)],
    ['ioredis 5', Command5, () => new Redis5(server.url)],
  ])('of %s for HMGET change nothing', async (_, { setReplyTransformer }, open) => {
    const client = open()
    const target = _ === 'ioredis 6' ? Command : Command5
    setReplyTransformer.call(target, 'hmget', (reply: unknown) => ({ values: reply }))
    onTestFinished(() => {
      setReplyTransformer.call(target, 'hmget', (reply: unknown) => reply)
      client.disconnect()
    })
    const store = await createRedisStore({ redis: client, cache: false })
    await store.set('transformed', { creds: { registrationId: 1 }, keys: { session: { a: 1 } } })
    expect(await store.getKeys('transformed', 'session', ['a', 'b'])).toEqual({ a: 1 })
  })

  test('for scripts are refused at the opening, and the owner keeps the session', async () => {
    const healthy = await createRedisStore({ redisUrl: server.url })
    const owner = await useRedisAuthState({ sessionId: 'owned', store: healthy })
    const client = new Redis5(server.url)
    for (const name of ['eval', 'evalsha']) Command5.setReplyTransformer(name, reply => ({ reply }))
    onTestFinished(async () => {
      for (const name of ['eval', 'evalsha']) Command5.setReplyTransformer(name, reply => reply)
      client.disconnect()
      await healthy.close()
    })
    const opening = useRedisAuthState({ sessionId: 'owned', redis: { redis: client } })
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(opening).rejects.toThrow('setReplyTransformer')
    await owner.state.keys.set({ 'lid-mapping': { a: '1' } })
    await owner.close()
  })
})

test('a client inside a transaction of its application claims nothing, and the owner keeps the session', async () => {
  const healthy = await createRedisStore({ redisUrl: server.url })
  const owner = await useRedisAuthState({ sessionId: 'queued', store: healthy })
  const client = new Redis(server.url)
  onTestFinished(async () => {
    client.disconnect()
    await owner.close()
    await healthy.close()
  })
  await client.multi({ pipeline: false })
  const opening = useRedisAuthState({ sessionId: 'queued', redis: { redis: client } })
  await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await client.exec()
  await owner.state.keys.set({ 'lid-mapping': { a: '1' } })
})

test.each([
  ['a client that has ended', () => new Redis(server.url), 'the client has ended'],
  ['a command that timed out', () => new Redis(server.url, { commandTimeout: 0 }), '"commandTimeout"'],
])('%s is STORE_UNAVAILABLE with that reason', async (_, open, reason) => {
  const client = open()
  client.on('error', () => {})
  const store = await createRedisStore({ redis: client, resilience: { maxRetries: 0 } })
  if (reason.includes('ended')) client.disconnect()
  await expect(store.get('s')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(store.get('s')).rejects.toThrow(reason)
  client.disconnect()
})
