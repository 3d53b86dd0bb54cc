import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { trace } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Logger } from '../../src/core/logger.js'
import { createHybridStore, type HybridOptions, type QueueAdapter } from '../../src/hybrid/index.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { checkMetrics } from '../support/promtool.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { TYPESCRIPT } from '../support/typescript.js'

const EXAMPLE = fileURLToPath(new URL('../../examples/express-metrics.ts', import.meta.url))
const PHONE = '15550001234'

let redis: RedisServer
let mongo: MongoServer
beforeAll(async () => {
  ;[redis, mongo] = await Promise.all([startRedis(), startMongo({ shared: true })])
}, 240_000)
afterAll(() => Promise.all([redis?.stop(), mongo?.stop()]))

let opened = 0
async function open(options: HybridOptions = {}) {
  const place = {
    redisUrl: redis.url,
    mongoUrl: mongo.url,
    mongoCollection: `metrics-${process.pid}-${opened++}`,
  }
  const store = await createHybridStore({ ...place, prefix: place.mongoCollection, ...options })
  onTestFinished(() => store.close())
  return store
}

/** Values by name and labels. */
function parse(text: string): Record<string, number> {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map(line => {
      const [, name, value] = /^(\S+(?: \S+)*?) (\S+)$/.exec(line) as unknown as [string, string, string]
      return [name, Number(value)]
    }),
  )
}

describe('metrics', () => {
  test('count what a store does, and say nothing of whom', async () => {
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
    const { baileys_store_redis_hits_total: hits, ...values } = parse(text)
    expect(hits).toBeGreaterThanOrEqual(1)
    expect(values).toMatchObject({
      baileys_store_redis_misses_total: 1, // of the claim: Redis did not know the session yet
      baileys_store_direct_writes_total: 1,
      baileys_store_version_conflicts_total: 1,
      baileys_store_ownership_lost_total: 1,
      baileys_store_rewinds_total: 0,
      baileys_store_outbox_depth: 0,
      'baileys_store_operation_latency_seconds_count{operation="getKeys",layer="store",status="ok"}': 1,
      'baileys_store_operation_latency_seconds_count{operation="set",layer="store",status="error"}': 2,
    })
    expect(await checkMetrics(text)).toBe('')
  }, 120_000)

  test('tell of the outbox, the queue and the breaker', async () => {
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
    expect(parse(await store.getMetricsText())).toMatchObject({
      baileys_store_outbox_depth: 1,
      baileys_store_queue_publishes_total: 1,
    })
    expect(jobs).toEqual([{ id: 's:1', sessionId: 's', version: 1 }])
    await store.set('s', { appState: { a: 1 } })
    await store.reconcileOutbox()
    await expect
      .poll(async () => parse(await store.getMetricsText()))
      .toMatchObject({
        baileys_store_outbox_depth: 0,
        baileys_store_outbox_oldest_age_seconds: 0,
        baileys_store_queue_failures_total: 1,
        baileys_store_circuit_breaker_open_total: 0,
      })
    expect(
      parse(await store.getMetricsText()).baileys_store_outbox_reconciler_latency_seconds_count,
    ).toBeGreaterThan(0)
  })

  test('count what goes past Redis, and past MongoDB', async () => {
    const [hot, durable] = await Promise.all([startRedis(), startMongo()])
    onTestFinished(() => Promise.all([hot.stop(), durable.stop()]).then(() => {}))
    const store = await open({ redisUrl: hot.url, mongoUrl: durable.url })
    await store.set('s', { creds: {} })
    await hot.kill()
    await store.set('s', { appState: { a: 1 } })
    await store.get('s')
    expect(parse(await store.getMetricsText())).toMatchObject({
      baileys_store_direct_writes_total: 2,
      baileys_store_mongo_fallbacks_total: 1,
    })
    await hot.restart()
    await expect.poll(() => store.claim('s').then(() => 'open', String), { timeout: 20_000 }).toBe('open')
    await durable.kill()
    for (let n = 0; n < 10; n++) await store.set('s', { appState: { n } })
    await expect.poll(() => store.isMongoCircuitBreakerOpen(), { timeout: 20_000 }).toBe(true)
    expect(parse(await store.getMetricsText())).toMatchObject({ baileys_store_circuit_breaker_open_total: 1 })
    expect(store.getCircuitBreakerStats().failures).toBeGreaterThan(2)
    expect(store.getOutboxStats()).toMatchObject({ totalParked: 0 })
  }, 120_000)

  test('go into a registry that is given, which stores may share', async () => {
    const metricsRegistry = new Registry()
    const stores = [
      await open({ observability: { metricsRegistry } }),
      await open({ observability: { metricsRegistry } }),
    ]
    for (const store of stores) await store.exists('s')
    expect(stores[0]?.getMetricsRegistry()).toBe(metricsRegistry)
    const name = 'baileys_store_operation_latency_seconds_count{operation="exists",layer="store",status="ok"}'
    expect(parse(await metricsRegistry.metrics())[name]).toBe(2)
  })

  test('can be turned off', async () => {
    const store = await open({ observability: { enableMetrics: false } })
    await store.exists('s')
    expect(await store.getMetricsText()).toBe('')
    expect(() => store.getMetricsRegistry()).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  test('are served by the example', async () => {
    const child = spawn(process.execPath, [...TYPESCRIPT, EXAMPLE], {
      env: { ...process.env, REDIS_URL: redis.url, MONGO_URL: mongo.url, PORT: '0' },
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
  }, 60_000)
})

describe('observability', () => {
  test('enableDetailedLogs writes a line for each operation, without the name of the session', async () => {
    const lines: { context: object; text: string }[] = []
    const debug = (context: object, text: string) => lines.push({ context, text })
    const logger: Logger = { debug, info() {}, warn() {}, error() {} }
    const store = await open({ security: { logger }, observability: { enableDetailedLogs: true } })
    await store.exists(PHONE)
    expect(lines).toHaveLength(1)
    expect(lines[0]?.context).toMatchObject({ operation: 'exists', isOk: true })
    expect(JSON.stringify(lines)).not.toContain(PHONE)
  })

  test('enableTracing makes a span of each operation, and names no session', async () => {
    const spans: { name: string; status?: unknown; isEnded?: boolean }[] = []
    const tracer = {
      startActiveSpan(name: string, run: (span: object) => unknown) {
        const span: (typeof spans)[number] = { name }
        spans.push(span)
        return run({
          setStatus: (status: unknown) => Object.assign(span, { status }),
          end: () => Object.assign(span, { isEnded: true }),
        })
      },
    }
    vi.spyOn(trace, 'getTracer').mockReturnValue(tracer as never)
    onTestFinished(() => void vi.restoreAllMocks())
    const store = await open({ observability: { enableTracing: true } })
    await store.exists(PHONE)
    await store.set(PHONE, { appState: { a: 1 } }, 99).catch(() => {})
    expect(spans).toEqual([
      { name: 'baileys-store exists', isEnded: true },
      { name: 'baileys-store set', status: { code: 2, message: 'VERSION_MISMATCH' }, isEnded: true },
    ])
  })

  test.each([
    { environment: 'production', warns: true },
    { environment: 'development', warns: false },
  ] as const)('a store in the clear is warned of in $environment: $warns', async ({ environment, warns }) => {
    const warnings: string[] = []
    const logger: Logger = { debug() {}, info() {}, error() {}, warn: (_, text) => warnings.push(text) }
    await open({ security: { logger, environment } })
    expect(warnings.some(text => text.includes('not encrypted'))).toBe(warns)
  })

  test('enableDebugLogging writes to the console, unless a logger is given', async () => {
    const debug = vi.spyOn(console, 'debug').mockImplementation(() => {})
    onTestFinished(() => void debug.mockRestore())
    const store = await open({
      security: { enableDebugLogging: true },
      observability: { enableDetailedLogs: true },
    })
    await store.exists('s')
    expect(debug).toHaveBeenCalledTimes(1)
  })
})
