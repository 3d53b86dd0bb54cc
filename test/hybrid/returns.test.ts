import { expect, test } from 'vitest'
import { startOwnServers } from '../support/hybrid/own-servers.js'

/** Losses and returns of the two databases: what the logger is told, and how soon the store goes on. */

const TEST_MS = 120_000

function listen() {
  const lines: [level: string, text: string, context: Record<string, unknown>][] = []
  const note = (level: string) => (context: object, text: string) =>
    void lines.push([level, text, { ...context }])
  return { lines, logger: { debug() {}, info: note('info'), warn: note('warn'), error: note('error') } }
}

test(
  'an outage of Redis and its end are logged once each, the outage with its cause',
  async () => {
    const { open, redis } = await startOwnServers()
    const { lines, logger } = listen()
    const store = await open({ security: { logger } })
    await store.set('s', { creds: { registrationId: 7 } })
    await redis.kill()
    const about = (word: string) => lines.filter(([, text]) => text.startsWith(`Redis is ${word}`))
    const use = () =>
      store.getKeys('s', 'session', ['a']).then(
        () => {},
        () => {},
      )
    await expect.poll(() => use().then(() => about('away').length)).toBe(1)
    for (let n = 0; n < 20; n++) await use()
    await redis.restart()
    await expect.poll(() => use().then(() => about('back').length)).toBe(1)
    expect(about('away')).toEqual([
      [
        'warn',
        expect.any(String),
        { store: 'Redis', waiting: 0, error: expect.stringContaining('(ECONNREFUSED)') },
      ],
    ])
    expect(about('back')).toEqual([['info', 'Redis is back.', { store: 'Redis', waiting: 0 }]])
  },
  TEST_MS,
)

test(
  'the return of MongoDB closes the breaker and drains the outbox, without a call',
  async () => {
    const { open, mongo, client } = await startOwnServers()
    const { lines, logger } = listen()
    const store = await open({ security: { logger } })
    await store.set('s', { creds: { registrationId: 7 } })
    await store.reconcileOutbox()
    await mongo.kill()
    for (let n = 1; n <= 20; n++) await store.set('s', { keys: { session: { a: n } } })
    await expect.poll(() => store.isMongoCircuitBreakerOpen()).toBe(true)
    const waiting = () => client.hlen('outbox:{s}')
    expect(await waiting()).toBeGreaterThan(0)
    await mongo.restart()
    await expect.poll(waiting, { timeout: 50_000, interval: 500 }).toBe(0)
    expect(store.isMongoCircuitBreakerOpen()).toBe(false)
    const metrics = await store.getMetricsText()
    for (const change of ['open', 'halfopen', 'close']) {
      expect(metrics).toMatch(new RegExp(`^baileys_store_circuit_breaker_${change}_total [1-9]`, 'm'))
    }
    await client.flushall()
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 20 })
    const told = lines.filter(([, text]) => text.startsWith('MongoDB is '))
    const context = { store: 'MongoDB', waiting: expect.any(Number) }
    expect(told).toEqual([
      [
        'warn',
        expect.stringContaining('away'),
        { ...context, error: expect.stringContaining(`${mongo.port}`) },
      ],
      ['info', 'MongoDB is back.', context],
    ])
  },
  TEST_MS,
)

test(
  'the return of MongoDB while Redis is away is noticed at once, though its breaker is open',
  async () => {
    const { open, redis, mongo } = await startOwnServers()
    const store = await open()
    await store.set('s', { creds: { registrationId: 7 } })
    await mongo.kill()
    for (let n = 1; n <= 5; n++) await store.set('s', { keys: { session: { a: n } } })
    expect(store.isMongoCircuitBreakerOpen()).toBe(true)
    await redis.kill()
    const set = (n: number) =>
      store.set('s', { keys: { session: { a: n } } }).then(
        ({ durability }) => durability,
        error => error.code,
      )
    for (let n = 6; n <= 8; n++) expect(await set(n)).toMatch(/STORE_UNAVAILABLE|TIMEOUT/)
    await mongo.restart()
    await expect.poll(() => set(9), { timeout: 15_000 }).toBe('durable') // its breaker would try again after 30 s
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 9 })
  },
  TEST_MS,
)

test(
  'a session that was written past Redis goes on once both databases are back',
  async () => {
    const { open, redis, mongo } = await startOwnServers()
    const { lines, logger } = listen()
    const store = await open({ security: { logger } })
    await store.set('s', { creds: { registrationId: 7 } })
    const set = (n: number) =>
      store.set('s', { keys: { session: { a: n } } }).then(
        () => 'written',
        error => error.code,
      )
    await redis.kill()
    await expect.poll(() => set(1)).toBe('written')
    await mongo.kill()
    await expect.poll(() => set(2).then(() => store.isMongoCircuitBreakerOpen())).toBe(true)
    expect(lines).toContainEqual([
      'warn',
      expect.stringMatching(/^MongoDB is away: both databases are/),
      expect.any(Object),
    ])
    await redis.restart()
    expect(await set(3)).toBe('STORE_UNAVAILABLE') // MongoDB alone has what was written past Redis
    await mongo.restart()
    await expect.poll(() => set(4), { timeout: 15_000 }).toBe('written') // its breaker would try again after 30 s
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 4 })
  },
  TEST_MS,
)
