import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { CREDS_FIELD } from '../../src/core/backend.js'
import { NO_METRICS } from '../../src/core/metrics.js'
import { HighestVersions } from '../../src/core/store/highest-versions.js'
import { Breaker } from '../../src/hybrid/breaker/breaker.js'
import { RedisSide } from '../../src/hybrid/redis-side.js'
import { createRedisStore } from '../../src/redis/index.js'
import { KeyNames } from '../../src/redis/key-names.js'
import { openConnection } from '../../src/redis/open-connection.js'
import { type LimitedRedis, limitArguments } from '../support/redis/argument-limit.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

/** ElastiCache Serverless refuses commands with more arguments. */
const MOST = 3999
let server: RedisServer
let limited: LimitedRedis
beforeAll(async () => {
  server = await startRedis()
  limited = await limitArguments(server.port, MOST)
})
afterAll(async () => {
  await limited.close()
  await server.stop()
})

const numbered = (count: number, value: unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, value]))

/** Counts around the limits of one command, of a packed command, and of a page of a script. */
test.each([1400, 1489, 1490, 1499, 1500, 2400, 2994, 2995, 2996, 5000])(
  '%i keys are written, read and removed whole under a limit of arguments',
  async count => {
    const store = await createRedisStore({ redisUrl: limited.url, cache: false })
    onTestFinished(() => store.close())
    const sessionId = `of-${count}`
    const keys = numbered(count, { bytes: Buffer.from([0, 255, 10, 44]), text: 'ä,\r\n\0' })
    const ids = Object.keys(keys)
    await store.set(sessionId, { creds: { registrationId: 1 }, keys: { session: keys } })
    expect(await store.getKeys(sessionId, 'session', [...ids, 'none'])).toEqual(keys)
    expect((await store.get(sessionId))?.data.keys.session).toEqual(keys)
    await store.set(sessionId, { keys: { session: numbered(count, null) } })
    expect(await store.getKeys(sessionId, 'session', ids)).toEqual({})
    expect(await store.listKeys(sessionId)).toEqual([])
    expect(limited.refused).toBe(0)
  },
)

test('a refused packed write writes nothing', async () => {
  const store = await createRedisStore({ redisUrl: limited.url })
  onTestFinished(() => store.close())
  const { version } = await store.set('s', { creds: { registrationId: 1 }, keys: { session: { k0: 'old' } } })
  const refused = store.set('s', { keys: { session: numbered(3000, 'new') } }, version + 1)
  await expect(refused).rejects.toMatchObject({ code: 'VERSION_MISMATCH' })
  expect(await store.getKeys('s', 'session', ['k0', 'k1'])).toEqual({ k0: 'old' })
})

test('a session of 5,000 fields is loaded into Redis, and its outbox is drained, under a limit of arguments', async () => {
  const { connection, release } = await openConnection({ redisUrl: limited.url }, 5000)
  const breaker = new Breaker({
    store: 'Redis',
    layer: 'redis',
    openGauge: 'redis_breakers_open',
    metrics: NO_METRICS,
    timeoutMs: 5000,
    windowMs: 2000,
    resetMs: 500,
  })
  const names = new KeyNames('long', { hasOutbox: true })
  const seen = new HighestVersions()
  const redis = new RedisSide({ connection, names, ttlMs: null, maxEntries: 10_000, breaker, seen, release })
  onTestFinished(() => redis.close())
  const fields = Array.from({ length: 5000 }, (_, n) => ({
    type: 'session',
    id: `k${n}`,
    bytes: Buffer.from(`value ${n}`),
  }))
  const session = {
    head: { exists: true, version: 5, fence: 1, updatedAtMs: 1, incarnation: 'one', operation: '' },
    forks: '',
    fields: [{ ...CREDS_FIELD, bytes: Buffer.from('creds') }, ...fields],
    ops: 'operation 5 1',
    endsAtMs: null,
    isVacant: false,
  }
  expect(await redis.install('s', await redis.peek('s'), session, new Map())).toBe(true)
  const loaded = await redis.readAll('s')
  expect(loaded.head).toMatchObject({ version: 5, exists: true })
  expect(new Map(loaded.fields.map(({ id, bytes }) => [id, String(bytes)]))).toEqual(
    new Map(session.fields.map(({ id, bytes }) => [id, String(bytes)])),
  )
  const operations = Array.from({ length: 2500 }, (_, n) => ({ version: n + 6, operationId: `o${n}` }))
  for (const { operationId } of operations.slice(0, 3)) {
    const writes = [{ type: 'session', id: 'a', bytes: Buffer.from('1') }]
    await redis.commit('s', { writes, operationId })
  }
  await redis.outbox.ack('s', operations)
  expect((await redis.outbox.list('s')).versions).toEqual([])
  expect(limited.refused).toBe(0)
})
