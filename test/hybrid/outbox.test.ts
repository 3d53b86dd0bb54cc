import { Queue, Worker } from 'bullmq'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  type HybridAuthStore,
  type OutboxJob,
  processOutboxJob,
  type QueueAdapter,
} from '../../src/hybrid/index.js'
import { hostileObjects } from '../support/hostile-inputs.js'
import { IDLE, useOutbox } from '../support/hybrid/outbox-place.js'
import { makeLogger } from '../support/logger.js'

const REFUSAL = 'redis://user:secret@queue.local is full of "bot-15550001234"'

const { servers, setUp } = useOutbox()
const CREDS = { registrationId: 7 }
const session = (values: Record<string, unknown>) => ({ keys: { session: values } })

describe('an outbox entry', () => {
  test('is a write of one version, as docs/outbox.md describes it, and lives for 7 days', async () => {
    const { client, open, key, entries } = setUp({ enableWriteBehind: true, queue: IDLE })
    const store = await open()
    const { fencingToken } = await store.claim('s')
    const patch = { creds: CREDS, keys: { session: { a: 'secret', b: null } }, appState: { c: 1 } }
    const { version, durability } = await store.set('s', patch, undefined, fencingToken)
    expect(durability).toBe('outbox')
    const [entry] = await entries()
    expect(entry).toEqual({
      id: `s:${version}`,
      sessionId: 's',
      version,
      fencingToken,
      patch: {
        creds: expect.any(String),
        keys: { session: { a: expect.any(String), b: null } },
        appState: { c: expect.any(String) },
      },
      status: 'pending',
      attempts: 0,
      createdAt: expect.any(Number),
      updatedAt: expect.any(Number),
      operationId: expect.any(String),
      begins: true,
    })
    const days = (await client.pttl(key)) / (24 * 60 * 60 * 1000)
    expect(days).toBeGreaterThan(6.99)
    expect(days).toBeLessThanOrEqual(7)
  })

  test('holds no plaintext where values are encrypted', async () => {
    const { client, open, key } = setUp({ enableWriteBehind: true, queue: IDLE, masterKey: 'a1'.repeat(32) })
    await (await open()).set('s', { creds: { me: 'secret' }, keys: { session: { a: 'secret' } } })
    const text = String(await client.hvals(key))
    expect(text).not.toContain('secret')
    expect(text).not.toContain(Buffer.from('secret').toString('base64').slice(0, 7))
  })

  test('is removed once MongoDB has the write', async () => {
    const { client, open, key } = setUp()
    const store = await open()
    expect(await store.set('s', { creds: CREDS })).toMatchObject({ durability: 'durable' })
    await expect.poll(() => client.exists(key)).toBe(0)
  })
})

describe('an outbox', () => {
  test('refuses a write and writes nothing while it is full, until there is room again', async () => {
    const { open, entries } = setUp({
      enableWriteBehind: true,
      queue: IDLE,
      outbox: { maxEntries: 3 },
      resilience: { maxRetries: 0 },
    })
    const store = await open()
    await store.set('s', { creds: CREDS })
    for (const n of [1, 2]) await store.set('s', session({ a: n }))
    await expect(store.set('s', session({ a: 3 }))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/3 entries of the session are in its outbox.* nothing was written/),
    })
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 2 })
    expect(await entries()).toHaveLength(3)
    await store.set('another', { creds: CREDS })
    await store.reconcileOutbox()
    expect(await store.set('s', session({ a: 3 }))).toMatchObject({ version: 4 })
  })

  test('is drained in the order of versions, whichever process has written', async () => {
    const { open, entries, inMongo } = setUp({ enableWriteBehind: true, queue: IDLE })
    const [one, other] = [await open(), await open()]
    await one.set('s', { creds: CREDS })
    for (let n = 1; n <= 40; n++) await (n % 2 ? one : other).set('s', session({ a: n, [`k${n}`]: n }))
    await other.set('s', session({ k7: null }))
    await (await open()).reconcileOutbox()
    expect(await entries()).toEqual([])
    const found = await inMongo()
    expect(found?.version).toBe(42)
    expect(found?.data.keys.session).toMatchObject({ a: 40, k1: 1, k40: 40 })
    expect(Object.keys(found?.data.keys.session ?? {})).toHaveLength(40)
  })

  test('is applied before a write that comes after it, however many entries wait', async () => {
    const { client, key, open } = setUp()
    const other = await open({ enableWriteBehind: true, queue: IDLE })
    await other.set('s', { creds: CREDS })
    for (let n = 1; n <= 300; n++) await other.set('s', session({ [`k${n}`]: n }))
    expect(await client.hlen(key)).toBe(301)
    const patient = await open({ resilience: { operationTimeout: 60_000 } }) // applies 302 writes on a busy machine
    const last = await patient.set('s', session({ a: 1 }))
    expect(last).toMatchObject({ version: 302, durability: 'durable' })
    const waiting = (await client.hkeys(key)).map(Number).filter(version => version < last.version)
    expect(waiting).toEqual([])
  })

  test('parks an entry that can never be applied, logs it, and goes on with the others', async () => {
    const lines: { context: object; text: string }[] = []
    const error = (context: object, text: string) => void lines.push({ context, text })
    const { client, open, key, entries, inMongo, name } = setUp({
      enableWriteBehind: true,
      queue: IDLE,
      security: { logger: { debug() {}, info() {}, warn() {}, error } },
    })
    const store = await open()
    await store.set('s', { creds: CREDS })
    await store.set('s', session({ a: 1 }))
    await store.set('s', session({ b: 2 }))
    await client.hset(key, 2, '{"id":"s:2", nonsense')
    const other = await open()
    await other.reconcileOutbox()
    expect(other.getOutboxStats()).toMatchObject({ totalParked: 1, totalProcessed: 2 })
    expect(await client.hkeys(key)).toEqual(['2'])
    expect(lines).toContainEqual({
      context: { sessionId: expect.any(String), version: 2, code: 'CORRUPT_VALUE' },
      text: expect.stringContaining('cannot be applied'),
    })
    await client.del(await client.keys(`${name}:{s}*`)) // evicted: it is loaded in spite of what is parked
    expect(await other.set('s', session({ c: 3 }))).toMatchObject({ version: 4 })
    await other.reconcileOutbox()
    await client.hdel(key, '2')
    expect(await entries()).toEqual([])
    expect((await inMongo())?.data.keys.session).toEqual({ b: 2, c: 3 })
  })

  test('keeps an entry that MongoDB refuses as failed, and applies it in reconcileOutbox once the cause is removed', async () => {
    const { open, entries, documents, inMongo } = setUp({ enableWriteBehind: true, queue: IDLE })
    const store = await open()
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    await store.reconcileOutbox()
    const head = (await documents.findOne({ _id: 's/' })) as { _id: string }
    await documents.deleteOne({ _id: 's/' }) // half a session
    await store.set('s', session({ a: 2 }))
    await (await open()).reconcileOutbox()
    expect(await entries()).toMatchObject([
      { status: 'failed', attempts: 1, lastError: 'SESSION_INCOMPLETE' },
    ])
    const finder = await open()
    await processOutboxJob(finder, { id: 's:2', sessionId: 's', version: 2 })
    expect(finder.getOutboxStats()).toMatchObject({ totalParked: 0 }) // but one that has been parked before
    await documents.insertOne(head)
    await (await open()).reconcileOutbox()
    expect(await entries()).toEqual([])
    expect((await inMongo())?.data.keys.session).toEqual({ a: 2 })
  })
})

describe('a queue', () => {
  test('gets a job for each entry, which its worker applies once even if the job runs twice', async () => {
    const jobs: OutboxJob[] = []
    const add = vi.fn(async (_name: string, job: OutboxJob) => void jobs.push(job))
    const close = vi.fn(async () => {})
    const { open, entries, inMongo } = setUp()
    const bot = await open({ enableWriteBehind: true, queue: { add, close } })
    await bot.set('s', { creds: CREDS })
    await bot.set('s', session({ a: 'secret' }))
    expect(jobs).toEqual([
      { id: 's:1', sessionId: 's', version: 1 },
      { id: 's:2', sessionId: 's', version: 2 },
    ])
    expect(add).toHaveBeenCalledWith('baileys-store-outbox', jobs[0], { jobId: 's.1' })
    const worker = await open()
    for (const job of [...jobs, ...jobs]) await processOutboxJob(worker, job)
    expect(await entries()).toEqual([])
    expect(worker.getOutboxStats()).toMatchObject({ totalProcessed: 2 })
    expect(await inMongo()).toMatchObject({ version: 2, data: { keys: { session: { a: 'secret' } } } })
    await bot.close()
    expect(close).toHaveBeenCalledOnce()
  })

  test('may be a BullMQ queue as it is, whatever the session id', async () => {
    const { open, name } = setUp()
    const connection = { url: servers.redis.url, maxRetriesPerRequest: null }
    const queue = new Queue<OutboxJob>(name, { connection })
    const bot = await open({ enableWriteBehind: true, queue })
    const brother = await open()
    const worker = new Worker<OutboxJob>(name, ({ data }) => processOutboxJob(brother, data), { connection })
    onTestFinished(() => worker.close())
    for (const id of ['s', 'wa:5', '12%3A']) await bot.set(id, { creds: CREDS })
    await expect.poll(() => brother.getOutboxStats().totalProcessed).toBe(3)
    await expect.poll(() => queue.getJobCounts()).toMatchObject({ completed: 3, failed: 0 })
  })

  test('that loses a job delays its entry by seconds, until the writing process applies it', async () => {
    const { open, entries } = setUp({ enableWriteBehind: true, queue: IDLE })
    const store = await open()
    await store.set('s', { creds: CREDS })
    expect(await entries()).toHaveLength(1)
    await expect.poll(entries, { timeout: 10_000 }).toEqual([])
  })

  test.each<[string, QueueAdapter['add']]>([
    ['refuses', () => Promise.reject(new Error(REFUSAL))],
    [
      'throws at',
      () => {
        throw new Error(REFUSAL)
      },
    ],
  ])('that %s a job loses no entry, and its reason is logged', async (_how, add) => {
    const { logger, lines } = makeLogger()
    const queue = { ...IDLE, add }
    const { client, open, key } = setUp({ enableWriteBehind: true, queue, security: { logger } })
    const store = await open()
    await store.set('s', { creds: CREDS })
    await expect.poll(() => client.exists(key)).toBe(0)
    expect(await store.getMetricsText()).toMatch(/^baileys_store_queue_failures_total 1$/m)
    const about = { error: 'Error: redis://queue.local is full of "bot-…34"' }
    expect(lines).toContainEqual(['warn', expect.objectContaining(about), expect.any(String)])
  })

  test('is closed with the last store that uses it, and a failed close keeps no store open', async () => {
    const close = vi.fn(() => Promise.reject(new Error('gone')))
    const { client, open, name } = setUp({ enableWriteBehind: true, queue: { ...IDLE, close } })
    const [one, other] = [await open(), await open()]
    await Promise.all([one.isHealthy(), other.isHealthy()])
    await one.close()
    expect(close).not.toHaveBeenCalled()
    await other.close()
    expect(close).toHaveBeenCalledOnce()
    expect(await client.client('LIST')).not.toContain(name)
  })

  test("has its job done once the process that holds the session's outbox ends or dies", async () => {
    const { client, open, entries, key } = setUp({ enableWriteBehind: true, queue: IDLE })
    const bot = await open()
    await bot.set('s', { creds: CREDS })
    await client.set(`lock:${key}`, 'another', 'PX', 500)
    const worker = await open()
    const work = () => processOutboxJob(worker, { id: 's:1', sessionId: 's', version: 1 })
    await Promise.all(Array.from({ length: 20 }, work))
    expect(await entries()).toEqual([])
    expect(worker.getOutboxStats()).toMatchObject({ totalProcessed: 1 })
    await bot.set('s', session({ a: 1 }))
    await work()
    expect(await entries()).toEqual([])
  })

  test('has a job refused that names no session', async () => {
    const { open } = setUp()
    const job = { id: ':1', sessionId: '', version: 1 }
    await expect(processOutboxJob(await open(), job)).rejects.toMatchObject({ code: 'INVALID_SESSION_ID' })
  })
})

describe('a call that only a hybrid store has', () => {
  test('is refused by a closed store', async () => {
    const { open } = setUp()
    const store = await open()
    await store.close()
    await expect(store.reconcileOutbox()).rejects.toMatchObject({ code: 'CLOSED' })
    const job = { id: 's:1', sessionId: 's', version: 1 }
    await expect(processOutboxJob(store, job)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test.each(hostileObjects('sessionId'))(
    'is refused for %s that throws in place of a job',
    async (_, bad) => {
      const { open } = setUp()
      const refused = { code: 'INVALID_OPTION' }
      await expect(processOutboxJob(await open(), bad as OutboxJob)).rejects.toMatchObject(refused)
      const job = { id: 's:1', sessionId: 's', version: 1 }
      await expect(processOutboxJob(bad as HybridAuthStore, job)).rejects.toMatchObject(refused)
    },
  )

  test.each([null, undefined, 5, 'text', []])('is refused for %j in place of a job or a store', async bad => {
    const { open } = setUp()
    const store = await open()
    await expect(processOutboxJob(store, bad as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    const job = { id: 's:1', sessionId: 's', version: 1 }
    await expect(processOutboxJob(bad as never, job)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})
