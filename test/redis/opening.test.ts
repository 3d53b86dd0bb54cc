import { once } from 'node:events'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Logger, nullLogger } from '../../src/core/logger.js'
import {
  createRedisStore,
  type GivenRedis,
  type RedisOptions,
  useRedisAuthState,
} from '../../src/redis/index.js'
import { countClients } from '../support/redis/count-clients.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

const CREDS = { registrationId: 7 }
const given = (redis: GivenRedis): RedisOptions => ({ redis })

describe('a given client', () => {
  test.each([
    ['ioredis 5', () => new Redis5(server.url)],
    ['ioredis 6', () => new Redis(server.url)],
    ['ioredis 6 with auto-pipelining', () => new Redis(server.url, { enableAutoPipelining: true })],
    ['a client with a keyPrefix', () => new Redis(server.url, { keyPrefix: 'app:[1]*:' })],
  ])('%s is used as it is and left open', async (name, open) => {
    const client = open()
    const sessionId = `of ${name}`
    const { state, saveCreds, store, close } = await useRedisAuthState({ sessionId, redis: given(client) })
    await state.keys.set({ 'lid-mapping': { a: '1' } })
    await saveCreds()
    expect(await state.keys.get('lid-mapping', ['a', 'b'])).toEqual({ a: '1' })
    expect((await store.list()).sessionIds).toContain(sessionId)
    expect((await store.get(sessionId))?.data.keys).toEqual({ 'lid-mapping': { a: '1' } })
    await close()
    expect(await client.ping()).toBe('PONG')
    client.disconnect()
  })

  test('a Cluster that reads from replicas is refused, before anything is sent', async () => {
    const cluster = new Cluster([server.url], { scaleReads: 'slave', lazyConnect: true })
    await expect(createRedisStore(given(cluster))).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})

describe('connections', () => {
  test('to one server are shared, those with other options are not', async () => {
    const watcher = new Redis(server.url)
    const before = await countClients(watcher)
    const { port } = server
    const stores = await Promise.all(
      [
        { host: '127.0.0.1', port },
        { host: '127.0.0.1', port },
        { host: '127.0.0.1', port, db: 1 },
      ].map(createRedisStore),
    )
    for (const store of stores) expect(await store.isHealthy()).toBe(true)
    expect(await countClients(watcher)).toBe(before + 2)
    const [one, other] = [{ retryStrategy: () => 100 }, { retryStrategy: () => 100 }]
    for (const redisOptions of [one, { ...one }, other]) {
      stores.push(await createRedisStore({ redisUrl: server.url, redisOptions }))
    }
    for (const store of stores) await store.isHealthy()
    expect(await countClients(watcher)).toBe(before + 4)
    await stores[0]?.set('s', { creds: CREDS })
    expect(await stores[1]?.exists('s')).toBe(true)
    expect(await stores[2]?.exists('s')).toBe(false)
    await Promise.all(stores.map(store => store.close()))
    await expect.poll(() => countClients(watcher)).toBe(before)
    watcher.disconnect()
  })

  test('log in with user and password, and report that these were refused', async () => {
    const guarded = await startRedis({ config: ['--requirepass', 'a password', '--save', ''] })
    onTestFinished(() => guarded.stop())
    const { port } = guarded
    const right = await createRedisStore({
      host: '127.0.0.1',
      port,
      username: 'default',
      password: 'a password',
    })
    expect(await right.set('s', { creds: CREDS })).toMatchObject({ version: 1 })
    await right.close()
    const encoded = await createRedisStore({ redisUrl: `redis://:a%20password@127.0.0.1:${port}` })
    expect(await encoded.exists('s')).toBe(true)
    await encoded.close()
    const none = await createRedisStore({ host: '127.0.0.1', port, resilience: { maxRetries: 0 } })
    const refused = none.get('s')
    await expect(refused).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(refused).rejects.toThrow('password')
    await none.close()
  })
})

describe('a database that the server does not have', () => {
  const number = 4711
  const lazy = () => {
    const client = new Redis(server.url, { db: number, lazyConnect: true })
    client.on('error', () => {}) // ioredis goes on in database 0
    return client
  }
  const connected = async () => {
    const client = lazy()
    await client.connect()
    return client
  }

  test.each<[string, () => RedisOptions | Promise<RedisOptions>]>([
    ['as "db"', () => ({ host: '127.0.0.1', port: server.port, db: number })],
    ['in the URL', () => ({ redisUrl: `${server.url}/${number}` })],
    ['in "redisOptions"', () => ({ redisUrl: server.url, redisOptions: { db: number } })],
    ['of a given client', async () => given(await connected())],
    ['of a given client that connects later', () => given(lazy())],
  ])('%s is refused, and nothing is written to database 0', async (_, options) => {
    const watcher = new Redis(server.url)
    await watcher.flushall()
    const redis = await options()
    const refused = { code: 'INVALID_OPTION', message: expect.stringContaining(`no database ${number}`) }
    await expect(useRedisAuthState({ sessionId: 's', redis })).rejects.toMatchObject(refused)
    const store = await createRedisStore(redis)
    await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject(refused)
    await expect(store.list()).rejects.toMatchObject(refused)
    expect(await store.isHealthy()).toBe(false)
    expect(await watcher.dbsize()).toBe(0)
    await store.close()
    ;(redis.redis ?? watcher).disconnect()
    watcher.disconnect()
  })
})

const KEY = 'a1'.repeat(32)

test('a client that is given as the options is refused with the place where it goes', async () => {
  const client = new Redis(server.url)
  onTestFinished(() => client.disconnect())
  const refused = {
    code: 'INVALID_OPTION',
    message: expect.stringContaining('give it as redis: { redis: … }'),
  }
  await expect(createRedisStore(client as never)).rejects.toMatchObject(refused)
  await expect(useRedisAuthState({ sessionId: 's', redis: client as never })).rejects.toMatchObject(refused)
})

describe('options', () => {
  test.each<[object, string]>([
    [{}, 'must say where Redis is'],
    [{ redisUrl: 'http://localhost' }, '"redis.redisUrl" must be a redis:// or rediss:// URL'],
    [{ redisUrl: 'http://u:s3cret@localhost' }, 'got one that begins with "http:"'],
    [{ redisUrl: 'u:s3cret@localhost' }, 'got a text without a scheme'],
    [{ redisUrl: ' redis://u:s3cret@localhost' }, 'got one with a space before or behind it'],
    [{ redisUrl: 'localhost' }, 'got a text without a scheme'],
    [{ redisUrl: 5 }, 'got 5'],
    [{ redisUrl: 'redis://u:100%@localhost' }, 'encodeURIComponent'],
    [{ redisUrl: 'redis://:p@ss#s3cret@localhost' }, '"#" as %23'],
    [{ redisUrl: 'redis://:s3cret/x@localhost' }, '"/" as %2F'],
    [{ redisUrl: 'redis://u/x:s3cret@localhost' }, '"/" as %2F'],
    [{ redisUrl: 'redis://u?x:s3cret@localhost' }, '"?" as %3F'],
    [{ redisUrl: 'redis://localhost?readOnly=true' }, 'other settings go into "redisOptions"'],
    [{ redisUrl: 'redis://localhost/0?monitor=true' }, 'other settings go into "redisOptions"'],
    [{ redisUrl: 'redis://localhost?sentinels=1' }, 'other settings go into "redisOptions"'],
    [{ host: 'redis://localhost:6379' }, 'a URL goes into "redisUrl"'],
    [{ host: 'localhost', password: 5 }, '"redis.password" must be text'],
    [{ redisUrl: 'redis://localhost', keyPrefix: 'a' }, 'did you mean "prefix"?'],
    [
      { redisUrl: 'redis://localhost', ignoreForeignData: true },
      '"redis.ignoreForeignData" is not an option; it belongs to the hook',
    ],
    [{ redisUrl: undefined }, '"redisUrl" is undefined; is an environment variable missing?'],
    [
      { redisUrl: 'redis://localhost', security: { masterKey: KEY } },
      'it goes one level up, beside "security"',
    ],
    [{ redisUrl: 'redis://localhost', sentinels: [{ host: 'a' }] }, 'put it into "redisOptions": { … }'],
    [{ redisUrl: 'redis://localhost', commandTimeout: 5 }, 'put it into "redisOptions": { … }'],
    ...['a:1', [], [null], ['a:1'], [{}], { host: 'a' }].map((sentinels): [object, string] => [
      { redisOptions: { sentinels, name: 'main' } },
      '"sentinels" of "redis.redisOptions" must be a list of at least one { host, port }',
    ]),
    [
      { redisOptions: { sentinels: [{ host: 'a' }] } },
      '"name" of "redis.redisOptions" must be the name of the master',
    ],
    [
      { redisOptions: { host: 'redis://u:secret@h' } },
      '"host" of "redis.redisOptions" must be the name of a host',
    ],
    [
      { redisOptions: { path: 'redis://u:secret@h' } },
      '"path" of "redis.redisOptions" must be the name of a host',
    ],
    [
      { redisOptions: { name: 'm', sentinels: [{ host: 'u:secret@h' }] } },
      '"sentinels" of "redis.redisOptions" must be the name of a host',
    ],
    [{ redisUrl: 'redis://localhost', zzz: 1 }, '"redis.zzz" is not an option; there are '],
    [{ redisUrl: 'redis://localhost:99999' }, 'a port from 1 to 65535'],
    [{ host: 'localhost:6379' }, 'a port into "port"'],
    [{ redisUrl: 'redis://localhost', logger: console }, 'put it into "security"'],
    [{ redisUrl: 'redis://localhost', operationTimeout: 5 }, 'put it into "resilience"'],
    [
      { redisUrl: 'redis://localhost', cache: { maxBytes: 10 } },
      'must be a whole number of bytes, 1024 or more, got 10',
    ],
    [{ hybrid: {} }, 'leave out "hybrid": { … }, and give its members here'],
    [{ redisUrl: 'redis://localhost', masterKeys: 'a1'.repeat(32) }, '[newKey, oldKey], got 64 characters'],
    [{ redisUrl: 'redis://localhost/bots' }, 'whose path is the number of a database'],
    [{ redisUrl: 'redis://localhost/-1' }, 'whose path is the number of a database'],
    [{ redisUrl: 'redis://localhost/0/1' }, 'whose path is the number of a database'],
    [{ redisUrl: 'redis://localhost', host: 'localhost' }, '"redis.host", not both'],
    [{ redisUrl: 'redis://localhost', port: 6380 }, '"redis.port", not both'],
    [{ host: 'localhost', port: 70_000 }, '"redis.port" must be a port'],
    [{ redisUri: 'redis://localhost' }, 'did you mean "redisUrl"'],
    [{ redisUrl: 'redis://localhost', prefix: 'a{b' }, '"redis.prefix" must be'],
    [{ redis: {} }, '"redis.redis" must be a Redis or Cluster'],
    [{ redisUrl: 'redis://localhost', ttl: { lockTtl: 0.5 } }, '"redis.ttl.lockTtl" must be'],
    [{ redisUrl: 'redis://localhost', ttl: { lockTtl: 86_401 } }, '"redis.ttl.lockTtl" must be'],
  ])('%j is refused: %s', async (options, message) => {
    const opening = createRedisStore(options)
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(opening).rejects.toThrow(message)
    await expect(opening).rejects.not.toThrow('s3cret')
  })

  test('a password appears in no error', async () => {
    const store = await createRedisStore({
      redisUrl: 'redis://:hunter2@127.0.0.1:1',
      resilience: { maxRetries: 0 },
    })
    const error = await store.get('s').catch((failure: Error) => failure)
    expect(
      JSON.stringify(error, Object.getOwnPropertyNames(error)) + String((error as Error).cause),
    ).not.toContain('hunter2')
    await store.close()
  })
})

describe('a server that may lose sessions', () => {
  async function warningsOf(config: string[], options: Partial<RedisOptions> = {}): Promise<string[]> {
    const risky = await startRedis({ config })
    const warnings: string[] = []
    const logger: Logger = { ...nullLogger, warn: (_context, text) => warnings.push(text) }
    const store = await createRedisStore({ redisUrl: risky.url, security: { logger }, ...options })
    onTestFinished(async () => {
      await store.close()
      await risky.stop()
    })
    await store.isHealthy()
    await new Promise(resolve => setTimeout(resolve, 50))
    return warnings
  }
  const limited = ['--maxmemory', '100mb', '--maxmemory-policy']

  test.each<[string, string[], RegExp[]]>([
    ['evicts any key', [...limited, 'allkeys-lru', '--appendonly', 'yes'], [/allkeys-lru.*paired again/]],
    ['evicts keys that expire', [...limited, 'volatile-lru', '--appendonly', 'yes'], [/volatile-lru/]],
    ['keeps nothing', ['--save', '', '--appendonly', 'no'], [/nothing on its disk/]],
    ['evicts nothing and keeps all', [...limited, 'noeviction', '--appendonly', 'yes'], []],
    ['has a policy and no limit', ['--maxmemory-policy', 'allkeys-lru', '--appendonly', 'yes'], []],
    ['saves snapshots', ['--save', '3600 1'], []],
  ])('that %s', async (_, config, expected) => {
    const warnings = await warningsOf(config)
    expect(warnings).toHaveLength(expected.length)
    for (const [i, pattern] of expected.entries()) expect(warnings[i]).toMatch(pattern)
  })

  test('that evicts keys that expire is no risk for sessions that do not', async () => {
    const config = [...limited, 'volatile-lru', '--appendonly', 'yes']
    expect(await warningsOf(config, { ttl: { defaultTtl: 0 } })).toEqual([])
  })
})

test('closing a store releases a connection that was never made', async () => {
  const store = await createRedisStore({ redisUrl: 'redis://127.0.0.1:1' })
  await store.close()
  await expect(store.get('s')).rejects.toMatchObject({ code: 'CLOSED' })
})

test('a connection that ends and comes back causes no unhandled error', async () => {
  const store = await createRedisStore({ redisUrl: server.url })
  const killer = new Redis(server.url)
  await once(killer, 'ready')
  await store.isHealthy()
  await killer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  expect(await store.exists('s')).toEqual(expect.any(Boolean))
  killer.disconnect()
  await store.close()
})
