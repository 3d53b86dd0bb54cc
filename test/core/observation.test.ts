import { trace } from '@opentelemetry/api'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Logger } from '../../src/core/logger.js'
import type { CommonOptions } from '../../src/index.js'
import { createSqliteStore, useSqliteAuthState } from '../../src/sqlite/index.js'
import { CREDS } from '../conformance/auth-store/harness.js'
import { createSqliteFile } from '../support/sqlite-database.js'

const fail = (): never => {
  throw new Error('it is broken')
}
const rejectLater = (): Promise<never> => Promise.reject(new Error('it is broken, later'))

async function open(options: CommonOptions) {
  const store = await createSqliteStore({ path: ':memory:', ...options })
  onTestFinished(() => store.close())
  return store
}

/** Every call gives the same result as without observers. */
async function expectToWork(options: CommonOptions) {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  const store = await open(options)
  const first = await useSqliteAuthState({ sessionId: 's', store })
  await first.state.keys.set({ 'lid-mapping': { a: 'b' } })
  expect(await first.state.keys.get('lid-mapping', ['a'])).toEqual({ a: 'b' })
  await expect(store.set('s', { creds: CREDS }, 99)).rejects.toMatchObject({ code: 'VERSION_MISMATCH' })
  const second = await useSqliteAuthState({ sessionId: 's', store })
  await expect(first.state.keys.set({ 'lid-mapping': { a: 'c' } })).rejects.toMatchObject({ code: 'FENCED' })
  await second.close()
  await first.close()
  await new Promise(setImmediate)
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
}

describe('a registry in which the application uses the name of a metric of this library', () => {
  test.each<[string, (registry: Registry) => unknown]>([
    [
      'baileys_store_rewinds_total',
      registers => new Gauge({ name: 'baileys_store_rewinds_total', help: 'mine', registers: [registers] }),
    ],
    [
      'baileys_store_read_bytes_total',
      registers =>
        new Counter({
          name: 'baileys_store_read_bytes_total',
          help: 'mine',
          labelNames: ['a'],
          registers: [registers],
        }),
    ],
    [
      'baileys_store_sessions_open',
      registers => new Counter({ name: 'baileys_store_sessions_open', help: 'mine', registers: [registers] }),
    ],
    [
      'baileys_store_operation_latency_seconds',
      registers =>
        new Histogram({
          name: 'baileys_store_operation_latency_seconds',
          help: 'mine',
          labelNames: ['x'],
          registers: [registers],
        }),
    ],
    [
      'baileys_store_outbox_reconciler_latency_seconds',
      registers =>
        new Gauge({
          name: 'baileys_store_outbox_reconciler_latency_seconds',
          help: 'mine',
          registers: [registers],
        }),
    ],
    [
      'baileys_store_outbox_depth',
      registers => new Gauge({ name: 'baileys_store_outbox_depth', help: 'mine', registers: [registers] }),
    ],
    [
      'baileys_store_outbox_largest_depth',
      registers =>
        new Gauge({ name: 'baileys_store_outbox_largest_depth', help: 'mine', registers: [registers] }),
    ],
  ])('is refused for the name %s, and left as it was', async (name, make) => {
    const registry = new Registry()
    make(registry)
    const opening = createSqliteStore({ path: ':memory:', observability: { metricsRegistry: registry } })
    await expect(opening).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(name),
    })
    expect(registry.getMetricsAsArray()).toHaveLength(1)
  })

  test('is shared by the stores of this library if the names are theirs', async () => {
    const registry = new Registry()
    for (let n = 0; n < 2; n++) await open({ observability: { metricsRegistry: registry } })
    expect(await registry.metrics()).toContain('baileys_store_operation_latency_seconds')
  })
})

describe('an observer changes no result:', () => {
  test('a metric that throws', async () => {
    const registry = new Registry()
    await open({ observability: { metricsRegistry: registry } })
    for (const { name } of registry.getMetricsAsArray()) {
      Object.assign(registry.getSingleMetric(name) as object, { inc: fail, observe: fail, labels: fail })
    }
    await expectToWork({ observability: { metricsRegistry: registry } })
  })

  test.each([
    ['throws', fail],
    ['rejects', rejectLater],
  ])('a logger that %s', async (_, log) => {
    const logger = { debug: log, info: log, warn: log, error: log } as Logger
    await expectToWork({
      security: { logger, environment: 'production' },
      observability: { enableDetailedLogs: true, enableTracing: true },
    })
  })

  test.each([
    ['startActiveSpan', { startActiveSpan: fail }],
    [
      'the call in a span',
      {
        startActiveSpan: (_: string, run: (span: object) => unknown) => {
          run({ setStatus: fail, end: fail })
          return fail()
        },
      },
    ],
  ])('a tracer of which %s throws', async (_, tracer) => {
    trace.setGlobalTracerProvider({ getTracer: () => tracer } as never)
    onTestFinished(() => trace.disable())
    await expectToWork({ observability: { enableTracing: true } })
  })

  test.each([
    ['throw', fail],
    ['reject', rejectLater],
  ])('callbacks and listeners that %s', async (_, callback) => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const file = await createSqliteFile()
    const store = await createSqliteStore({ path: file.path })
    onTestFinished(async () => {
      await store.close()
      await file.remove()
    })
    store.onRewind(callback)
    const first = await useSqliteAuthState({
      sessionId: 's',
      store,
      onOwnershipLost: callback,
      onRewind: callback,
    })
    const restore = await file.remember()
    await first.state.keys.set({ 'lid-mapping': { a: 'b' } })
    await restore()
    await store.exists('s')
    expect(await first.state.keys.get('lid-mapping', ['a'])).toEqual({ a: 'b' })
    const second = await useSqliteAuthState({ sessionId: 's', store })
    await expect(first.saveCreds()).rejects.toMatchObject({ code: 'FENCED' })
    await second.close()
    await first.close()
    await new Promise(setImmediate)
    expect(unhandled).toEqual([])
  })
})
