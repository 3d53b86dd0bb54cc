import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { CREDS_FIELD } from '../../src/core/backend.js'
import { NO_METRICS } from '../../src/core/metrics.js'
import { HighestVersions } from '../../src/core/store/highest-versions.js'
import { Breaker } from '../../src/hybrid/breaker/breaker.js'
import { toDigest } from '../../src/hybrid/outbox/outbox-entry.js'
import { RedisSide } from '../../src/hybrid/redis-side.js'
import { KeyNames } from '../../src/redis/key-names.js'
import { openConnection } from '../../src/redis/open-connection.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server?.stop())

test('a late load of a session replaces neither a later version nor what an eviction has left of it', async () => {
  const client = new Redis(server.url)
  const { connection, release } = await openConnection({ redisUrl: server.url }, 5000)
  const breaker = new Breaker({
    store: 'Redis',
    layer: 'redis',
    openGauge: 'redis_breakers_open',
    metrics: NO_METRICS,
    timeoutMs: 1000,
    windowMs: 2000,
    resetMs: 500,
  })
  const names = new KeyNames('loading', { hasOutbox: true })
  const redis = new RedisSide({
    connection,
    names,
    ttlMs: null,
    maxEntries: 10,
    breaker,
    seen: new HighestVersions(),
    release,
  })
  onTestFinished(async () => {
    await redis.close()
    client.disconnect()
  })
  const toSession = (version: number) => ({
    head: { exists: true, version, fence: 1, updatedAtMs: 1, incarnation: 'one', operation: '' },
    forks: '',
    fields: [CREDS_FIELD, { type: 'session', id: 'a' }].map(field => ({
      ...field,
      bytes: Buffer.from(`at ${version}`),
    })),
    ops: '',
    endsAtMs: null,
    isVacant: false,
  })
  const found = await redis.peek('s')
  expect(found).toMatchObject({ state: 'cold', version: 0 })
  expect(await redis.install('s', found, toSession(5), new Map())).toBe(true)
  expect(await redis.install('s', found, toSession(3), new Map())).toBe(false)
  await client.del(names.of('s')[1] as string)
  expect(await redis.peek('s')).toMatchObject({ state: 'cold', version: 5 })
  expect(await redis.install('s', found, toSession(3), new Map())).toBe(false)
  expect(await redis.install('s', await redis.peek('s'), toSession(5), new Map())).toBe(true)
  const { values } = await redis.read('s', [{ type: 'session', id: 'a' }])
  expect(String(values[0])).toBe('at 5')
  const outbox = names.of('s')[2] as string
  const now = await redis.peek('s')
  await client.hset(outbox, '6', 'what was set aside')
  expect(await redis.install('s', now, toSession(6), new Map([['6', toDigest('what was set aside')]]))).toBe(
    true,
  )
  await client.hset(outbox, '6', 'another write, which has taken that version since')
  const parked = new Map([['6', toDigest('what was set aside')]])
  expect(await redis.install('s', await redis.peek('s'), toSession(6), parked)).toBe(false)
})
