import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createHybridStore, type HybridAuthStore, useHybridAuthState } from '../../src/hybrid/index.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { parseMetrics } from '../support/parse-metrics.js'
import { type PrometheusServer, startPrometheus } from '../support/prometheus-server.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

interface Panel {
  id: number
  type: string
  title: string
  description: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { expr: string }[]
}

const FOLDER = new URL('../../docs/monitoring/', import.meta.url)
const dashboardText = readFileSync(new URL('dashboard.json', FOLDER), 'utf8')
const alertsFile = fileURLToPath(new URL('alerts.yml', FOLDER))
const { panels }: { panels: Panel[] } = JSON.parse(dashboardText)
const charts = panels.filter(panel => panel.type !== 'row')
const queriesOf = ({ targets = [] }: Panel) => targets.map(({ expr }) => expr)

let redis: RedisServer
let mongo: MongoServer
let store: HybridAuthStore
let page: Server
let prometheus: PrometheusServer
let samples: string[]

/** Bots at work, then an outage of MongoDB that they notice. Prometheus reads their metrics. */
beforeAll(async () => {
  ;[redis, mongo] = await Promise.all([startRedis(), startMongo()])
  store = await createHybridStore({
    redisUrl: redis.url,
    mongoUrl: mongo.url,
    observability: { metricsInterval: 100 },
  })
  page = createServer(async (_request, response) => {
    response.setHeader('Content-Type', store.getMetricsRegistry().contentType)
    response.end(await store.getMetricsText())
  }).listen(0, '127.0.0.1')
  await once(page, 'listening')
  const { port } = page.address() as AddressInfo
  prometheus = await startPrometheus({ target: `127.0.0.1:${port}`, rules: alertsFile })
  const { state } = await useHybridAuthState({ sessionId: 'bot', store })
  await state.keys.set({ session: { a: Buffer.alloc(100) } })
  await state.keys.get('session', ['a'])
  await state.keys.set({ session: { a: null } })
  await mongo.kill()
  for (let n = 0; !store.isMongoCircuitBreakerOpen(); n++) await store.set('bot', { appState: { n } })
  await store.claim('unknown').catch(() => {}) // only MongoDB could answer
  await seen('sum_over_time(baileys_store_mongo_breakers_open[1m]) >= 2')
  // A rate needs two readings.
  await seen('rate(baileys_store_operation_latency_seconds_count{layer="store",status="error"}[1m])')
  samples = Object.keys(parseMetrics(await store.getMetricsText())).map(name => name.replace(/{.*/, ''))
}, 240_000)

afterAll(async () => {
  await prometheus?.stop()
  page?.close()
  await store?.close()
  await Promise.all([redis?.stop(), mongo?.stop()])
})

function seen(expression: string): Promise<void> {
  const look = async () => expect(await prometheus.query(expression)).not.toEqual([])
  return vi.waitFor(look, { timeout: 20_000, interval: 100 })
}

/** Fills in the variables as Grafana does. */
function fillIn(expression: string): string {
  const values: Record<string, string> = {
    $job: '.*',
    $instance: '.*',
    $__rate_interval: '1m',
    $__range: '5m',
  }
  return expression.replaceAll(/\$\w+/g, name => values[name] ?? name)
}

function metricsOf(text: string): string[] {
  return text.match(/baileys_store_\w+/g) ?? []
}

/** The name of the whole metric: a histogram has three names. */
function familyOf(name: string): string {
  return name.replace(/_(bucket|sum|count)$/, '')
}

describe('the dashboard', () => {
  test.each(charts.map(panel => [panel.title, queriesOf(panel)] as const))(
    'has something to show in "%s"',
    async (_title, queries) => {
      expect(queries).not.toEqual([])
      for (const query of queries) {
        expect(metricsOf(query).filter(name => !samples.includes(name))).toEqual([])
        expect(await prometheus.query(fillIn(query)), query).not.toEqual([])
      }
    },
  )

  test('describes what to do for each panel, and draws no panel over another', () => {
    expect(charts.filter(({ description }) => !/^.{20,}\.$/.test(description))).toEqual([])
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, n) => `${x + (n % w)} ${y + Math.floor(n / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBe(24)
  })

  test('leaves no metric out, and neither does its page', () => {
    const families = new Set(samples.map(familyOf))
    const shown = new Set(charts.flatMap(queriesOf).flatMap(metricsOf).map(familyOf))
    expect(shown).toEqual(families)
    const readme = readFileSync(new URL('README.md', FOLDER), 'utf8')
    const unnamed = [...families].filter(
      name => !readme.includes(`\`${name.replace('baileys_store_', '')}\``),
    )
    expect(unnamed).toEqual([])
  })

  test('queries no metric that does not exist', () => {
    expect(metricsOf(dashboardText).filter(name => !samples.includes(name))).toEqual([])
  })
})

describe('the alerts', () => {
  test('compare existing series', async () => {
    for (const { name, query } of await prometheus.rules()) {
      const operands = query.split(/ (?:and|or|unless) /)
      for (const operand of operands) {
        expect(metricsOf(operand).filter(metric => !samples.includes(metric))).toEqual([])
        const compared = operand.replace(/ (>|<) (?=[\d.]+$)/, ' $1 bool ')
        expect(await prometheus.query(compared), `${name}: ${compared}`).not.toEqual([])
      }
    }
  })

  test('say what has happened and what to do', async () => {
    const rules = await prometheus.rules()
    expect(rules.length).toBeGreaterThan(10)
    for (const { labels, annotations } of rules) {
      expect(labels.severity).toMatch(/^(critical|warning)$/)
      expect(annotations).toEqual({
        summary: expect.stringMatching(/^.{10,}[^.]$/),
        description: expect.stringMatching(/^.{40,}\.$/),
      })
    }
  })

  test('notice that MongoDB is away, and nothing else', async () => {
    const noticed = (await prometheus.rules()).filter(({ state }) => state !== 'inactive')
    expect(noticed.map(({ name }) => name)).toContain('BaileysStoreMongoBreakerOpen')
    expect(noticed.map(({ name }) => name)).not.toContain('BaileysStoreRedisBreakerOpen')
  })
})
