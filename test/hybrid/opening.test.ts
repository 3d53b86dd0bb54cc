import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  createHybridStore,
  type HybridAuthStateOptions,
  type HybridAuthStore,
  type HybridOptions,
  processOutboxJob,
  useHybridAuthState,
} from '../../src/hybrid/index.js'
import { identityOf as identityOfCreds } from '../conformance/auth-state/harness.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { parseMetrics } from '../support/parse-metrics.js'
import { KEEPS_ALL, startRedis } from '../support/redis/redis-server.js'

/** Servers of its own, since the tests stop them. Each `open` acts as another process. */
async function setUp(options: HybridOptions = {}) {
  const [redis, mongo] = await Promise.all([startRedis({ config: KEEPS_ALL }), startMongo()])
  const closing: { close(): Promise<void> }[] = []
  onTestFinished(async () => {
    await Promise.all(closing.map(handle => handle.close()))
    await Promise.all([redis.stop(), mongo.stop()])
  })
  let opened = 0
  const open = async (given: Partial<HybridAuthStateOptions> = {}) => {
    const redisOptions = { connectionName: `process ${opened++}` }
    const hybrid = { redisUrl: redis.url, mongoUrl: mongo.url, redisOptions, ...options, ...given.hybrid }
    const handle = await useHybridAuthState({ sessionId: 's', ...given, hybrid })
    closing.push(handle)
    return handle
  }
  const flush = async () => {
    const client = new Redis(redis.url)
    await client.flushall()
    client.disconnect()
  }
  return { redis, mongo, open, flush }
}

const identityOf = ({ state }: Awaited<ReturnType<typeof useHybridAuthState>>) => identityOfCreds(state.creds)
const KEEPS_NOTHING = ['--save', '', '--appendonly', 'no']
function collectWarnings() {
  const warnings: string[] = []
  const warn = (_: object, text: string) => void warnings.push(text)
  return { warnings, logger: { debug() {}, info() {}, error() {}, warn } }
}

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' }

describe('a session that one of the two databases does not have', () => {
  test('is not taken for new while the other one is away, and nothing is written', async () => {
    const { redis, mongo, open } = await setUp()
    const refused = { ...UNAVAILABLE, message: expect.stringContaining('An opening needs both databases') }
    await mongo.kill()
    await expect(open()).rejects.toMatchObject(refused)
    await mongo.restart()
    await redis.kill()
    await expect(open()).rejects.toMatchObject(refused)
    await redis.restart()
    const { store } = await open({ sessionId: 'another' })
    await expect
      .poll(() => store.get('s').then(() => 'answered', String), { timeout: 60_000 })
      .toBe('answered')
    expect(await store.get('s')).toBeNull()
  }, 120_000)

  test('is found in MongoDB after Redis has lost everything', async () => {
    const { open, flush } = await setUp()
    const first = await open()
    await first.close()
    await flush()
    expect(identityOf(await open())).toBe(identityOf(first))
  })
})

describe('an existing session', () => {
  test('is opened with one of the two databases under degradedOpen, which is logged and counted', async () => {
    const { logger, warnings } = collectWarnings()
    const { redis, mongo, open } = await setUp({ degradedOpen: true, security: { logger } })
    const first = await open()
    await first.close()
    const expectDegraded = async () => {
      const { state, store, ...handle } = await open()
      expect(identityOf({ state, store, ...handle })).toBe(identityOf(first))
      await state.keys.set({ 'lid-mapping': { a: '1' } })
      const counted = parseMetrics(await store.getMetricsText())
      expect(counted.baileys_store_degraded_opens_total).toBe(1)
      expect(warnings.filter(text => text.includes('while one of Redis and MongoDB was away'))).toHaveLength(
        1,
      )
      warnings.length = 0
    }
    await redis.kill()
    await expectDegraded()
    await redis.restart()
    await (await open()).close()
    await mongo.kill()
    await expectDegraded()
  }, 120_000)

  test.each([{}, { enableWriteBehind: true }])(
    'is not opened with one of the two databases under %j',
    async options => {
      const { redis, mongo, open } = await setUp(options)
      await (await open()).close()
      await mongo.kill()
      await expect(open()).rejects.toMatchObject(UNAVAILABLE)
      await mongo.restart()
      await redis.kill()
      await expect(open()).rejects.toMatchObject(UNAVAILABLE)
    },
    120_000,
  )
})

describe('options', () => {
  const place = { redisUrl: 'redis://localhost', mongoUrl: 'mongodb://localhost' }

  test.each<[HybridOptions, RegExp]>([
    [
      { mongoUrl: place.mongoUrl },
      /must say where Redis is: "redisUrl", "redisOptions" or a client as "redis"/,
    ],
    [{ redisUrl: place.redisUrl }, /"hybrid" must say .*"mongoUrl"/],
    [
      { ...place, queue: { add: async () => {}, close: async () => {} } },
      /"hybrid.queue" needs "hybrid.enableWriteBehind"/,
    ],
    [
      { ...place, enableWriteBehind: true, queue: {} as never },
      /"hybrid.queue" must be an object with add and close/,
    ],
    [
      { ...place, outbox: { maxEntries: 0 } },
      /"hybrid.outbox.maxEntries" must be a whole number, 1 or more, got 0/,
    ],
    [{ ...place, mongoDatabse: 'x' } as never, /mongoDatabase/],
    [{ ...place, security: { enableEncryption: true } }, /masterKey/],
  ])('are refused before anything is opened: %j', async (options, message) => {
    await expect(createHybridStore(options)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(message),
    })
  })

  test('of Redis that endanger the outbox cause warnings', async () => {
    const redis = await startRedis({
      config: [...KEEPS_NOTHING, '--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'],
    })
    onTestFinished(() => redis.stop())
    const { logger, warnings } = collectWarnings()
    const store = await createHybridStore({
      ...place,
      redisUrl: redis.url,
      mongoOptions: { serverSelectionTimeoutMS: 100 },
      security: { logger, environment: 'test' },
    })
    onTestFinished(() => store.close())
    await expect.poll(() => warnings.length).toBe(2)
    expect(warnings[0]).toMatch(/may evict .* allkeys-lru\. Set it to noeviction/)
    expect(warnings[1]).toMatch(/keeps nothing on its disk/)
  })
})

test('an ACL user with the rights that docs/hybrid.md names can use the whole store', async () => {
  const { redis, mongo } = await setUp()
  const rights =
    '~baileys:auth:* ~outbox:* ~lock:outbox* +@hash +@scripting +@keyspace +@connection +time -@dangerous +info ' +
    '+config|get +set +get'
  const admin = new Redis(redis.url)
  await admin.call('ACL', 'SETUSER', 'bots', 'on', '>secret', ...rights.split(' '))
  const store = await createHybridStore({
    redisUrl: redis.url.replace('//', '//bots:secret@'),
    mongoUrl: mongo.url,
    resilience: { maxRetries: 0 },
  })
  await store.set('s', { creds: { registrationId: 7 }, keys: { session: { a: 1 } } })
  await store.claim('s')
  await store.reconcileOutbox()
  await processOutboxJob(store, { id: 's:1', sessionId: 's', version: 1 })
  expect(await store.getMetricsText()).toMatch(/^baileys_store_outbox_depth 0$/m)
  await admin.flushall()
  expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 1 })
  await store.touch('s')
  await store.delete('s')
  expect(await store.get('s')).toBeNull()
  expect(await admin.acl('LOG')).toEqual([])
  await store.close()
  admin.disconnect()
})

test('half a session in Redis alone is not taken for new, and nothing replaces it until it is deleted', async () => {
  const { redis, mongo, open } = await setUp()
  const { store } = await open()
  await store.set('s', { keys: { session: { a: 1 } } })
  await store.reconcileOutbox()
  const client = new MongoClient(mongo.url)
  await client.db('baileys').collection('auth').deleteMany({})
  await client.close()
  const admin = new Redis(redis.url)
  await admin.del('baileys:auth:{s}:keys')
  const other = await createHybridStore({ redisUrl: redis.url, mongoUrl: mongo.url, redisOptions: { db: 0 } })
  const incomplete = { code: 'SESSION_INCOMPLETE' }
  await expect(open()).rejects.toMatchObject(incomplete)
  await expect(other.exists('s')).rejects.toMatchObject(incomplete)
  await expect(other.set('s', { creds: { registrationId: 8 } })).rejects.toMatchObject(incomplete)
  await expect(other.delete('s', 7)).rejects.toMatchObject({ code: 'VERSION_MISMATCH' })
  expect(await admin.hexists('baileys:auth:{s}:creds', 'data')).toBe(1)
  await other.delete('s')
  expect(await other.exists('s')).toBe(false)
  await other.close()
  admin.disconnect()
})

test('a session that Redis has kept alive is opened, though it has expired in MongoDB', async () => {
  const { mongo, open, flush } = await setUp()
  const one = await open()
  const identity = identityOf(one)
  await one.store.reconcileOutbox()
  await one.close()
  const client = new MongoClient(mongo.url)
  const heads = client.db('baileys').collection<{ _id: string }>('auth')
  await heads.updateOne({ _id: 's/' }, { $set: { endsAt: new Date(1), updatedAt: new Date(0) } })
  await client.close()
  expect(identityOf(await open())).toBe(identity)
  await flush()
  expect(identityOf(await open())).toBe(identity)
})

test.each<[string, (store: HybridAuthStore) => Promise<unknown>, unknown]>([
  ['exists', store => store.exists('s'), true],
  ['getKeys', store => store.getKeys('s', 'session', ['a']), { a: 1 }],
])(
  '%s finds a session that MongoDB has kept alive, though it has expired in Redis',
  async (_, ask, answer) => {
    const { redis, mongo, open } = await setUp()
    const { store, close } = await open()
    const { fencingToken } = await store.claim('s')
    await store.set('s', { keys: { session: { a: 1 } } }, undefined, fencingToken)
    await close()
    const client = new Redis(redis.url)
    await client.hset('baileys:auth:{s}:creds', 'expiresAt', 1)
    await client.hset('baileys:auth:{s}:keys', '@expiresAt', 1)
    client.disconnect()
    const redisOptions = { connectionName: 'another process' }
    const other = await createHybridStore({ redisUrl: redis.url, mongoUrl: mongo.url, redisOptions })
    onTestFinished(() => other.close())
    expect(await ask(other)).toEqual(answer)
  },
)

test('an opening that has timed out takes the session from no later owner', async () => {
  const { redis, mongo, open } = await setUp()
  await open()
  const behind = async ({ url, port }: { url: string; port: number }) => {
    const proxy = await startFaultProxy(port)
    onTestFinished(() => proxy.close())
    return { proxy, url: url.replace(String(port), String(proxy.port)) }
  }
  const [slowRedis, slowMongo] = [await behind(redis), await behind(mongo)]
  const slow = await createHybridStore({
    redisUrl: slowRedis.url,
    mongoUrl: slowMongo.url,
    resilience: { operationTimeout: 3000, maxRetries: 0 },
    degradedOpen: true, // else it gives up at its first attempt
  })
  expect(await slow.get('none')).toBeNull() // MongoDB is connected
  // The first three commands to Redis and the two to MongoDB take longer than the deadline, and none is an outage.
  slowRedis.proxy.delay(400)
  slowMongo.proxy.delay(1200)
  await expect(slow.claim('s')).rejects.toMatchObject({ code: 'TIMEOUT' })
  const { store } = await open()
  const { fencingToken } = await store.claim('s')
  await sleep(4000)
  const write = store.set('s', { keys: { session: { a: 1 } } }, undefined, fencingToken)
  expect(await write).toMatchObject({ durability: 'durable' })
  await slow.close()
})

test('every call tells that the URL names a replica set to which no server belongs', async () => {
  const { redis, mongo } = await setUp()
  const resilience = { operationTimeout: 1500, maxRetries: 1 }
  const mongoUrl = `${mongo.url}?replicaSet=theirs`
  const store = await createHybridStore({ redisUrl: redis.url, mongoUrl, resilience })
  onTestFinished(() => store.close())
  const calls = [
    () => store.get('s'),
    () => store.set('s', { creds: {} }),
    () => useHybridAuthState({ sessionId: 's', store }),
  ]
  for (const call of calls) {
    const { message } = await call().then(
      () => new Error('it went well'),
      (error: Error) => error,
    )
    expect(message).toContain('no server there belongs to the replica set that "replicaSet" names')
  }
})
