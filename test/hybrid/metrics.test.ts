import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Registry } from 'prom-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type QueueAdapter, useHybridAuthState } from '../../src/hybrid/index.js'
import { shareServers } from '../support/hybrid/hybrid-stores.js'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { parseMetrics } from '../support/parse-metrics.js'
import { checkMetrics } from '../support/promtool.js'
import { startRedis } from '../support/redis/redis-server.js'
import { TYPESCRIPT } from '../support/typescript.js'

const EXAMPLE = fileURLToPath(new URL('../../examples/express-metrics.mjs', import.meta.url))
const PHONE = '15550001234'

const { servers, open } = shareServers()

describe('metrics', () => {
  test('count the operations of a store, and name no session', async () => {
    const store = await open()
    const { fencingToken } = await store.claim(PHONE)
    await store.set(
      PHONE,
      { creds: { registrationId: 7 }, keys: { session: { [PHONE]: 'secret' } } },
      0,
      fencingToken,
    )
    await store.getKeys(PHONE, 'session', [PHONE])
    await store.set(PHONE, { appState: { a: 1 } }, 99).catch(() => {})
    await store.set(PHONE, { appState: { a: 1 } }, undefined, fencingToken - 1).catch(() => {})
    const text = await store.getMetricsText()
    expect(text).not.toContain(PHONE)
    expect(text).not.toContain('secret')
    const { baileys_store_redis_hits_total: hits, ...values } = parseMetrics(text)
    expect(hits).toBeGreaterThanOrEqual(1)
    expect(values).toMatchObject({
      baileys_store_redis_misses_total: 1, // of the claim: Redis did not know the session yet
      baileys_store_direct_writes_total: 1,
      baileys_store_version_conflicts_total: 1,
      baileys_store_ownership_lost_total: 1,
      baileys_store_rewinds_total: 0,
      baileys_store_outbox_depth: 0,
      'baileys_store_operation_latency_seconds_count{operation="getKeys",layer="store",status="ok"}': 1,
      'baileys_store_operation_latency_seconds_count{operation="set",layer="store",status="refused"}': 2,
    })
    expect(await checkMetrics(text)).toBe('')
  }, 120_000)

  test('count the bytes of values as they are stored', async () => {
    const store = await open()
    await store.set('s', {
      creds: { registrationId: 7 },
      keys: { session: { a: 'x'.repeat(1000), b: null } },
    })
    const { baileys_store_written_bytes_total: written } = parseMetrics(await store.getMetricsText())
    expect(written).toBeGreaterThan(1000)
    await store.set('s', { appState: { a: 1 } }, 99).catch(() => {})
    await store.get('s')
    await store.getKeys('s', 'session', ['b'])
    expect(parseMetrics(await store.getMetricsText())).toMatchObject({
      baileys_store_written_bytes_total: written,
      baileys_store_read_bytes_total: written,
    })
  })

  test('count the open sessions over all stores of the registry', async () => {
    const metricsRegistry = new Registry()
    const [one, other] = [
      await open({ observability: { metricsRegistry } }),
      await open({ observability: { metricsRegistry } }),
    ]
    const count = async () => parseMetrics(await metricsRegistry.metrics()).baileys_store_sessions_open
    expect(await count()).toBe(0)
    const bot = await useHybridAuthState({ sessionId: 'bot', store: one })
    const elsewhere = await useHybridAuthState({ sessionId: 'bot', store: other })
    expect(await count()).toBe(2)
    const laterOwner = await useHybridAuthState({ sessionId: 'bot', store: one })
    expect(await count()).toBe(3)
    await expect(bot.state.keys.set({ session: { a: Buffer.of(1) } })).rejects.toThrow('owner')
    expect(await count()).toBe(2) // the session is lost, and its close does not count it again
    for (const hook of [bot, laterOwner, laterOwner]) await hook.close()
    expect(await count()).toBe(1)
    await elsewhere.close()
    expect(await count()).toBe(0)
  })

  test('report the outbox, the queue and the breaker', async () => {
    const jobs: unknown[] = []
    const queue: QueueAdapter = {
      add: async (_name, job) => {
        jobs.push(job)
        if (jobs.length > 1) throw new Error('the queue is full')
      },
      close: async () => {},
    }
    const store = await open({ enableWriteBehind: true, queue, observability: { metricsInterval: 1 } })
    await store.set('s', { creds: {} })
    await expect // a count that the sweep has begun is another's
      .poll(async () => parseMetrics(await store.getMetricsText()))
      .toMatchObject({
        baileys_store_outbox_depth: 1,
        baileys_store_outbox_largest_depth: 1,
        baileys_store_queue_publishes_total: 1,
      })
    expect(jobs).toEqual([{ id: 's:1', sessionId: 's', version: 1 }])
    await store.set('s', { appState: { a: 1 } })
    await store.reconcileOutbox()
    await expect
      .poll(async () => parseMetrics(await store.getMetricsText()))
      .toMatchObject({
        baileys_store_outbox_depth: 0,
        baileys_store_outbox_oldest_age_seconds: 0,
        baileys_store_queue_failures_total: 1,
        baileys_store_circuit_breaker_open_total: 0,
      })
    expect(
      parseMetrics(await store.getMetricsText()).baileys_store_outbox_reconciler_latency_seconds_count,
    ).toBeGreaterThan(0)
  })

  test('count the outboxes once in "metricsInterval", which is a minute by default', async () => {
    const queue = { add: async () => {}, close: async () => {} }
    const store = await open({ enableWriteBehind: true, queue })
    const depth = async () => parseMetrics(await store.getMetricsText()).baileys_store_outbox_depth
    const before = await depth()
    await store.set('s', { creds: {} })
    expect(await depth()).toBe(before)
    const often = await open({ enableWriteBehind: true, queue, observability: { metricsInterval: 1 } })
    await often.set('s', { creds: {} })
    expect(await depth()).toBe(before)
    await expect
      .poll(async () => parseMetrics(await often.getMetricsText()).baileys_store_outbox_depth)
      .toBe(1)
  })

  test('count the calls that go past Redis or past MongoDB', async () => {
    const [hot, durable] = await Promise.all([startRedis(), startMongo()])
    onTestFinished(() => Promise.all([hot.stop(), durable.stop()]).then(() => {}))
    const metricsRegistry = new Registry()
    const store = await open({
      redisUrl: hot.url,
      mongoUrl: durable.url,
      observability: { metricsRegistry },
    })
    const read = async () => parseMetrics(await metricsRegistry.metrics())
    await store.set('s', { creds: {} })
    await hot.kill()
    await store.set('s', { appState: { a: 1 } })
    await store.get('s')
    expect(await read()).toMatchObject({
      baileys_store_direct_writes_total: 2,
      baileys_store_mongo_fallbacks_total: 1,
    })
    await expect
      .poll(async () => {
        await store.exists('s')
        return read()
      })
      .toMatchObject({
        baileys_store_redis_breakers_open: 1,
        baileys_store_outbox_depth: Number.NaN, // not 0: the depth is unknown
      })
    await hot.restart()
    const { baileys_store_redis_hits_total: hits } = await read()
    const hitsAfterClaim = async () => {
      await store.claim('s').catch(() => {})
      return (await read()).baileys_store_redis_hits_total
    }
    await expect.poll(hitsAfterClaim, { timeout: 20_000 }).toBeGreaterThan(hits as number)
    expect(await read()).toMatchObject({ baileys_store_redis_breakers_open: 0 })
    await durable.kill()
    for (let n = 0; n < 10; n++) await store.set('s', { appState: { n } })
    await expect.poll(() => store.isMongoCircuitBreakerOpen(), { timeout: 20_000 }).toBe(true)
    expect(await read()).toMatchObject({
      baileys_store_circuit_breaker_open_total: 1,
      baileys_store_mongo_breakers_open: 1,
    })
    const stats = store.getCircuitBreakerStats()
    expect(stats.failures).toBeGreaterThan(2)
    expect(Object.values(stats).every(count => count >= 0)).toBe(true)
    expect(store.getOutboxStats()).toMatchObject({ totalParked: 0 })
    await store.close()
    expect(await read()).toMatchObject({ baileys_store_mongo_breakers_open: 0 })
  }, 120_000)

  test('go into a given registry, which stores may share', async () => {
    const metricsRegistry = new Registry()
    const stores = [
      await open({ observability: { metricsRegistry } }),
      await open({ observability: { metricsRegistry } }),
    ]
    for (const store of stores) await store.exists('s')
    expect(stores[0]?.getMetricsRegistry()).toBe(metricsRegistry)
    const name = 'baileys_store_operation_latency_seconds_count{operation="exists",layer="store",status="ok"}'
    expect(parseMetrics(await metricsRegistry.metrics())[name]).toBe(2)
  })

  test('measure the outboxes of the latest store that is still open', async () => {
    const observability = { metricsRegistry: new Registry(), metricsInterval: 1 }
    const queue: QueueAdapter = { add: async () => {}, close: async () => {} }
    const store = await open({ enableWriteBehind: true, queue, observability })
    await store.set('s', { creds: {} })
    const depth = async () =>
      parseMetrics(await observability.metricsRegistry.metrics()).baileys_store_outbox_depth
    const later = await open({ observability })
    await expect.poll(depth).toBe(0)
    await later.close()
    await expect.poll(depth).toBe(1)
    await store.close()
    expect(await depth()).toBeNaN()
  })

  test('can be turned off', async () => {
    const store = await open({ observability: { enableMetrics: false } })
    await store.exists('s')
    expect(await store.getMetricsText()).toBe('')
    expect(() => store.getMetricsRegistry()).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  test('are served by the example', async () => {
    const child = spawn(process.execPath, [...TYPESCRIPT, EXAMPLE], {
      env: { ...process.env, REDIS_URL: servers.redis.url, MONGO_URL: servers.mongo.url, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [said] = await once(child.stdout, 'data')
    const url = String(said).trim()
    const response = await fetch(url)
    expect(response.headers.get('content-type')).toContain('text/plain')
    expect(await checkMetrics(await response.text())).toBe('')
    expect((await fetch(url.replace('metrics', 'healthz'))).status).toBe(200)
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)
  })
})
