import { describe, expect, test } from 'vitest'
import { type HybridAuthStore, processOutboxJob } from '../../src/hybrid/index.js'
import { IDLE, useOutbox } from '../support/hybrid/outbox-place.js'
import { parseMetrics } from '../support/parse-metrics.js'

const { setUp } = useOutbox()
const CREDS = { registrationId: 7 }
const session = (values: Record<string, unknown>) => ({ keys: { session: values } })

const keysOf = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'sQA=']))

function listen() {
  const lines: { context: Record<string, unknown>; text: string }[] = []
  const note = (context: object, text: string) => void lines.push({ context: { ...context }, text })
  return { lines, logger: { debug() {}, info() {}, warn: note, error: note } }
}

/** An entry that does not belong in an outbox is parked, and holds up nothing. */
describe('an outbox', () => {
  test('with more strange names than a page is opened, drained and counted, and each name is reported once', async () => {
    const { lines, logger } = listen()
    const { client, open, key, inMongo } = setUp({
      security: { logger },
      observability: { metricsInterval: 1 },
    })
    const names = ['x1', '1e3', 'NaN', '-5', `${2 ** 60}`, '1.5', '', 'constructor', '+7', ' 8']
    for (let n = 0; n < 300; n++) names.push(`0${n}`)
    const writer = await open({ enableWriteBehind: true, queue: IDLE })
    await writer.set('s', { creds: CREDS })
    await client.hset(key, Object.fromEntries(names.map(name => [name, 'nonsense'])))
    const store = await open()
    const { fencingToken } = await store.claim('s')
    const set = await store.set('s', session({ a: 1 }), undefined, fencingToken)
    expect(set).toEqual(expect.objectContaining({ version: 2, durability: 'durable' }))
    await store.reconcileOutbox()
    expect((await client.hkeys(key)).sort()).toEqual(names.sort())
    expect((await inMongo())?.data.keys.session).toEqual({ a: 1 })
    const depth = async () => parseMetrics(await store.getMetricsText()).baileys_store_outbox_depth
    await expect.poll(depth, { timeout: 20_000 }).toBe(names.length)
    const told = lines.filter(({ context }) => context.strangeNames === names.length)
    expect(told.length).toBeLessThanOrEqual(3) // by the opening, by hand, and by the one that looked without Redis
    expect(JSON.stringify(lines)).not.toContain('constructor')
  })

  test.each<[string, Record<string, unknown>]>([
    ['a version that is no safe integer', { version: 1e20, id: 's:100000000000000000000' }],
    ['the version of another entry', { version: 3 }],
    ['the name of another session', { sessionId: 'other' }],
    ['the id of another entry', { id: 'other:2' }],
    ['a token that is text', { fencingToken: '5' }],
    ['a negative token', { fencingToken: -1 }],
    ['an instant that is no date', { createdAt: 1e300 }],
    ['an instant that is text', { createdAt: 'yesterday' }],
    ['no number of attempts', { attempts: null }],
    ['an unknown status', { status: 'done' }],
    ['an operation that would be two lines', { operationId: 'a 1 1\nb' }],
    ['creds that are not base64', { patch: { creds: 'ü' } }],
    ['a key that is not base64', { patch: { keys: { session: { a: 'a' } } } }],
    ['an app state that is a number', { patch: { appState: { a: 5 } } }],
    ['a note that is not base64', { patch: { note: '{}' } }],
    ['a life that is text', { lifeMs: '5' }],
    ['a negative life', { lifeMs: -1 }],
    ['a life that ends after the last instant', { lifeMs: 8.64e15 }],
    ['keys that are a list', { patch: { keys: [5] } }],
    ['earlier versions that are a list', { versions: [1] }],
    ['an earlier version that is text', { versions: { 'session:a': '1' } }],
    ['an earlier version that is not earlier', { versions: { 'session:a': 2 } }],
    [
      'more earlier versions than fields',
      { versions: Object.fromEntries(Object.keys(keysOf(60_000)).map(id => [id, 1])) },
    ],
    ['no patch', { patch: undefined }],
    ['a patch and the mark of a deletion', { deletion: true }],
  ])('parks an entry with %s, and goes on with the others', async (_what, members) => {
    const { client, open, key, change, documents, inMongo } = setUp({ enableWriteBehind: true, queue: IDLE })
    const writer = await open()
    await writer.set('s', { creds: CREDS })
    await writer.set('s', session({ a: 1 }))
    await writer.set('s', session({ b: 2 }))
    await change(2, members)
    const store = await open()
    await store.reconcileOutbox()
    expect(store.getOutboxStats()).toMatchObject({ totalParked: 1, totalProcessed: 2 })
    expect(store.isMongoCircuitBreakerOpen()).toBe(false)
    expect(await client.hkeys(key)).toEqual(['2'])
    expect(await documents.findOne({ _id: 's/' })).toMatchObject({ v: 3 })
    expect((await inMongo())?.data.keys.session).toEqual({ b: 2 })
  })

  test.each<[string, Record<string, unknown>]>([
    ['a key without a type', { '': { a: 'sQA=' } }],
    ['a type that is a path', { 'a/b': { a: 'sQA=' } }],
    ['creds among the keys', { creds: { '': 'sQA=' } }],
    ['a key without an id', { session: { '': 'sQA=' } }],
    ['an id with a NUL', { session: { 'a\0': 'sQA=' } }],
    ['keys of a type that are a list', { session: ['sQA='] }],
    ['more keys than a write may have', { session: keysOf(200_000) }],
    [
      'more types than a write may have',
      Object.fromEntries(Object.keys(keysOf(200_000)).map(id => [id, {}])),
    ],
  ])('parks an entry with %s, which no store writes', async (_what, keys) => {
    const resilience = { operationTimeout: 60_000 } // megabytes on a busy machine
    const { open, change, documents, inMongo } = setUp({ enableWriteBehind: true, queue: IDLE, resilience })
    const writer = await open()
    await writer.set('s', { creds: CREDS })
    await writer.set('s', session({ a: 1 }))
    await writer.set('s', session({ b: 2 }))
    await change(2, { patch: { keys } as never })
    const store = await open()
    await store.reconcileOutbox()
    expect(store.getOutboxStats()).toMatchObject({ totalParked: 1, totalProcessed: 2 })
    const { a, ...others } = (await inMongo())?.data.keys.session ?? {}
    expect(others).toEqual({ b: 2 })
    expect([undefined, 1]).toContain(a) // on a slow machine its writer brings it over
    expect(await documents.countDocuments()).toBe(a === undefined ? 3 : 4) // the head, the creds and the keys
  })

  test('parks an entry with a type "__proto__"', async () => {
    const { client, open, key, documents } = setUp({ enableWriteBehind: true, queue: IDLE })
    const writer = await open()
    await writer.set('s', { creds: CREDS })
    await writer.set('s', session({ a: 1 }))
    const text = (await client.hget(key, '2')) as string
    await client.hset(key, '2', text.replace('"session"', '"__proto__"'))
    const store = await open()
    await store.reconcileOutbox()
    expect(store.getOutboxStats()).toMatchObject({ totalParked: 1, totalProcessed: 1 })
    expect(await documents.countDocuments()).toBe(2)
  })

  test('parks an entry that is longer than any write', async () => {
    const resilience = { operationTimeout: 60_000 } // Redis reads all of it
    const { client, open, key } = setUp({ enableWriteBehind: true, queue: IDLE, resilience })
    await (await open()).set('s', { creds: CREDS })
    await client.eval("redis.call('HSET', KEYS[1], '2', string.rep('x', 33 * 1024 * 1024))", 1, key)
    const store = await open()
    for (let n = 0; n < 2; n++) await processOutboxJob(store, { id: 's:2', sessionId: 's', version: 2 })
    expect(store.getOutboxStats()).toMatchObject({ totalParked: 1, totalProcessed: 1 })
  })

  test('takes no write with more keys than an entry may have', async () => {
    const { open, entries } = setUp({ enableWriteBehind: true, queue: IDLE })
    const store = await open()
    await store.set('s', { creds: CREDS })
    const keys = { session: keysOf(50_001) }
    await expect(store.set('s', { keys })).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    expect(await entries()).toHaveLength(1)
  })

  test.each<[string, (store: HybridAuthStore) => Promise<unknown>]>([
    ['by a worker', store => processOutboxJob(store, { id: 's:3', sessionId: 's', version: 3 })],
    ['before its next write', store => store.set('s', session({ c: 3 }))],
    ['by its opening', store => store.claim('s')],
  ])('hands over a good write under a version that was parked before, %s', async (_what, bring) => {
    const { client, open, key, entries, inMongo } = setUp()
    const writer = await open({ enableWriteBehind: true, queue: IDLE })
    await writer.set('s', { creds: CREDS })
    await writer.set('s', session({ a: 1 }))
    const store = await open()
    await client.hset(key, '3', 'nonsense')
    await processOutboxJob(store, { id: 's:3', sessionId: 's', version: 3 })
    expect(store.getOutboxStats()).toMatchObject({ totalParked: 1, totalProcessed: 2 })
    await client.hdel(key, '3')
    expect(await writer.set('s', session({ b: 2 }))).toMatchObject({ version: 3 })
    await bring(store)
    expect(await entries()).toEqual([])
    expect((await inMongo())?.data.keys.session).toMatchObject({ a: 1, b: 2 })
  })

  test('hands over a good write in the place of one that MongoDB has refused', async () => {
    const { open, entries, documents, change } = setUp({ enableWriteBehind: true, queue: IDLE })
    const writer = await open()
    await writer.set('s', { creds: CREDS })
    const store = await open()
    const job = { id: 's:2', sessionId: 's', version: 2 }
    await processOutboxJob(store, job)
    const head = (await documents.findOne({ _id: 's/' })) as { _id: string }
    await documents.deleteOne({ _id: 's/' }) // half a session
    await writer.set('s', session({ a: 1 }))
    await processOutboxJob(store, job)
    expect(await entries()).toMatchObject([{ status: 'failed' }])
    await documents.insertOne(head)
    await change(2, { status: 'pending', operationId: 'another' })
    await processOutboxJob(store, job)
    expect(await entries()).toEqual([])
  })

  test('parks an entry that could not be removed after it was applied, instead of applying it for ever', async () => {
    const { client, open, key } = setUp({ enableWriteBehind: true, queue: IDLE })
    await (await open()).set('s', { creds: CREDS })
    const entry = JSON.parse((await client.hget(key, '1')) as string)
    await client.hset(key, '1', JSON.stringify(entry, undefined, 1))
    const store = await open()
    await store.reconcileOutbox()
    expect(store.getOutboxStats()).toMatchObject({ totalParked: 1, totalProcessed: 0 })
  })

  test('of the wrong Redis type keeps no other outbox from being drained and counted', async () => {
    const { lines, logger } = listen()
    const place = setUp({ security: { logger }, observability: { metricsInterval: 1 } })
    const { client, open, name, entries } = place
    const writer = await open({ enableWriteBehind: true, queue: IDLE })
    await writer.set('s', { creds: CREDS })
    await client.set(`${name}:outbox:{foreign}`, 'text')
    const store = await open()
    expect(parseMetrics(await store.getMetricsText()).baileys_store_outbox_depth).toBe(1)
    for (let n = 0; n < 2; n++) await store.reconcileOutbox()
    expect(await entries()).toEqual([])
    const about = { sessionId: 'foreign', code: 'CORRUPT_VALUE' }
    expect(
      lines.filter(({ context }) => context.sessionId === 'foreign').map(({ context }) => context),
    ).toEqual([about])
  })

  test.each([false, true])(
    'of the wrong Redis type is damage of its session until the session is deleted (session exists: %s)',
    async isThere => {
      const { client, open, name, key, documents } = setUp()
      const store = await open()
      if (isThere) await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
      await client.del(key)
      await client.rpush(key, 'x')
      const refusal = { code: 'CORRUPT_VALUE', message: expect.stringContaining(`"${name}:outbox:{`) }
      await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject(refusal)
      await expect(store.claim('s')).rejects.toMatchObject(refusal)
      expect(await store.delete('s')).toMatchObject({ durability: 'durable' })
      expect(await client.type(key)).not.toBe('list')
      expect(await store.get('s')).toBeNull()
      expect(await documents.countDocuments({ session: 's' })).toBe(0)
      const { fencingToken } = await store.claim('s')
      const set = await store.set('s', { creds: CREDS }, undefined, fencingToken)
      expect(set).toMatchObject({ durability: 'durable' })
    },
  )

  test('is counted by one process for all until the count expires', async () => {
    const { open } = setUp({ enableWriteBehind: true, queue: IDLE })
    const [one, other] = [await open(), await open()]
    const depth = async (store: typeof one) =>
      parseMetrics(await store.getMetricsText()).baileys_store_outbox_depth
    expect(await depth(one)).toBe(0)
    await one.set('s', { creds: CREDS })
    expect(await depth(other)).toBe(0)
    expect(await depth(await open({ observability: { metricsInterval: 1 } }))).toBe(1)
  })
})
