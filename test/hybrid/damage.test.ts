import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { shareServers } from '../support/hybrid/hybrid-stores.js'
import { parseMetrics } from '../support/parse-metrics.js'

const { servers, open } = shareServers()
const CREDS = { registrationId: 7 }
/** More failures than it takes to open a circuit breaker. */
const CALLS = 12
let places = 0

/** `store` acts as another process than the writer: it remembers nothing. */
async function setUp() {
  const name = `damage-${process.pid}-${places++}`
  const place = { prefix: name, mongoDatabase: 'damage', mongoCollection: name }
  const writer = await open({ ...place, redisOptions: { connectionName: 'writer' } })
  const mongoOptions = { appName: 'another process' }
  const store = await open({ ...place, mongoOptions, redisOptions: { connectionName: 'another process' } })
  const [hot, durable] = [new Redis(servers.redis.url), new MongoClient(servers.mongo.url)]
  onTestFinished(() => Promise.all([hot.quit(), durable.close()]).then(() => {}))
  for (const sessionId of ['bad', 'good']) {
    await writer.set(sessionId, { creds: CREDS, keys: { session: { a: 1 } } })
  }
  const documents = durable.db('damage').collection<{ _id: string }>(name)
  /** The session "good" can still be read and written, and no breaker is open. */
  const expectNoHarm = async () => {
    const set = await store.set('good', { keys: { session: { b: 2 } } })
    expect(set).toMatchObject({ durability: 'durable' })
    expect(await store.getKeys('good', 'session', ['a', 'b'])).toEqual({ a: 1, b: 2 })
    expect(store.isMongoCircuitBreakerOpen()).toBe(false)
    expect(parseMetrics(await store.getMetricsText())).toMatchObject({
      baileys_store_mongo_breakers_open: 0,
      baileys_store_redis_breakers_open: 0,
    })
  }
  return { store, writer, hot, documents, name, expectNoHarm }
}

/** Damage is not an outage, and concerns one session only. */
describe('a session whose head is damaged', () => {
  test('in Redis is an error, and no other session is harmed', async () => {
    const { store, hot, name, expectNoHarm } = await setUp()
    await hot.hset(`${name}:{bad}:creds`, 'version', '-5')
    const calls = [
      () => store.get('bad'),
      () => store.set('bad', { keys: { session: { a: 2 } } }),
      () => store.claim('bad'),
    ]
    for (let n = 0; n < CALLS; n++) {
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
    }
    await expectNoHarm()
  })

  test.each<[string, (hot: Redis, session: string) => Promise<unknown>]>([
    ['a version', (hot, session) => hot.hset(`${session}:creds`, 'version', '-5')],
    ['a fence', (hot, session) => hot.hset(`${session}:creds`, 'fence', 'x')],
    ['the operations', (hot, session) => hot.hset(`${session}:creds`, 'ops', 'x')],
    ['no version', (hot, session) => hot.hdel(`${session}:creds`, 'version')],
    ['another incarnation', (hot, session) => hot.hset(`${session}:keys`, '@history', 'another')],
    ['another version of its keys', (hot, session) => hot.hset(`${session}:keys`, '@version', '7')],
    ['creds of another type', (hot, session) => hot.set(`${session}:creds`, 'x')],
    ['keys of another type', (hot, session) => hot.set(`${session}:keys`, 'x')],
  ])(
    'in Redis, with %s, can be deleted by a process that has seen it, and by one that has not',
    async (_, damage) => {
      const { store, writer, hot, documents, name, expectNoHarm } = await setUp()
      for (const [one, other] of [
        [store, writer],
        [writer, store],
      ] as const) {
        await damage(hot, `${name}:{bad}`)
        await one.get('bad').catch(() => {})
        expect(await one.delete('bad')).toEqual({ durability: 'durable' })
        for (const each of [one, other]) expect(await each.get('bad')).toBeNull()
        expect(await documents.countDocuments({ session: 'bad' })).toBe(0)
        await writer.set('bad', { creds: CREDS, keys: { session: { c: 3 } } })
        for (const each of [one, other]) {
          expect((await each.get('bad'))?.data).toMatchObject({ creds: CREDS, keys: { session: { c: 3 } } })
        }
      }
      await expectNoHarm()
    },
  )

  test.each(['creds', 'keys'])(
    'in Redis, with %s that are older than the other half, is loaded from MongoDB',
    async half => {
      const { store, writer, hot, name, expectNoHarm } = await setUp()
      const key = `${name}:{bad}:${half}`
      const older = (await hot.dumpBuffer(key)) as Buffer
      for (const a of [2, 3]) await writer.set('bad', { keys: { session: { a } } })
      for (const isWrittenFirst of [false, true]) {
        for (const one of [writer, store]) {
          await hot.restore(key, 0, older, 'REPLACE')
          if (isWrittenFirst) await one.set('bad', { keys: { session: { b: 1 } } })
          // A read of keys alone sees no head: an opening, or any other call, does.
          if (one === writer) expect(await one.getKeys('bad', 'session', ['a'])).toEqual({ a: 3 })
          expect((await one.get('bad'))?.data.keys.session).toMatchObject({ a: 3 })
          expect(await one.getKeys('bad', 'session', ['a'])).toEqual({ a: 3 })
        }
      }
      await expectNoHarm()
    },
  )

  test.each([
    ['an instant that is text', { updatedAt: 'yesterday' }],
    ['an instant that is no date', { updatedAt: -1 }],
    ['no version', { v: null }],
    ['a version that is text', { v: 'x' }],
  ])(
    'in MongoDB, with %s, is not opened and has its writes parked, and no other session is harmed',
    async (_what, members) => {
      const { store, hot, name, documents, expectNoHarm } = await setUp()
      await documents.updateOne({ _id: 'bad/' }, { $set: members })
      for (let n = 0; n < CALLS; n++) {
        expect(await store.set('bad', { keys: { session: { a: n } } })).toMatchObject({
          durability: 'outbox',
        })
      }
      expect(await store.getKeys('bad', 'session', ['a'])).toEqual({ a: CALLS - 1 })
      expect(store.getOutboxStats().totalParked).toBeGreaterThan(0)
      await hot.del(`${name}:{bad}:creds`, `${name}:{bad}:keys`)
      for (let n = 0; n < CALLS; n++) {
        await expect(store.claim('bad')).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
      }
      await expectNoHarm()
    },
  )

  const damages: [string, object][] = [
    ['no version', { $unset: { v: '' } }],
    ['a version that is text', { $set: { v: 'x' } }],
    ['a version that allows no higher one', { $set: { v: 2 ** 52 } }],
    ['an infinite version', { $set: { v: Number.POSITIVE_INFINITY } }],
    ['a fence that is text', { $set: { fence: 'x' } }],
    ['a fence that allows no higher one', { $set: { fence: 2 ** 52 } }],
    ['an instant that is text', { $set: { updatedAt: 'yesterday' } }],
    ['a lease that is text', { $set: { leaseUntil: 'x' } }],
    ['operations that are a number', { $set: { ops: 5 } }],
    ['an intent that is text', { $set: { intent: 'x' } }],
    ['forks that are a list', { $set: { forks: [] } }],
    ['a bar that is text', { $set: { barredBelow: 'x' } }],
  ]
  describe.each([
    ['has it', false],
    ['has been flushed', true],
  ])('in MongoDB, while Redis %s', (_, isFlushed) => {
    test.each(damages)(
      'with %s, can be deleted by a process that has seen it, and by one that has not',
      async (_what, damage) => {
        const { store, writer, hot, documents, name, expectNoHarm } = await setUp()
        for (const [one, other] of [
          [store, writer],
          [writer, store],
        ] as const) {
          await documents.updateOne({ _id: 'bad/' }, damage)
          if (isFlushed) await hot.del(`${name}:{bad}:creds`, `${name}:{bad}:keys`, `${name}:outbox:{bad}`)
          await one.get('bad').catch(() => {})
          await one.set('bad', { keys: { session: { a: 9 } } }).catch(() => {})
          await one.delete('bad')
          for (const each of [one, other]) expect(await each.get('bad')).toBeNull()
          await expect.poll(() => documents.countDocuments({ session: 'bad' })).toBe(0)
          const { fencingToken } = await writer.claim('bad')
          const patch = { creds: CREDS, keys: { session: { c: 3 } } }
          await expect
            .poll(async () => (await writer.set('bad', patch, undefined, fencingToken)).durability)
            .toBe('durable')
          await hot.del(`${name}:{bad}:creds`, `${name}:{bad}:keys`)
          for (const each of [one, other]) {
            expect((await each.get('bad'))?.data).toEqual(expect.objectContaining(patch))
          }
        }
        await expectNoHarm()
      },
    )
  })
})

describe('a session of which MongoDB has lost only the head', () => {
  const lose = async ({ documents }: Awaited<ReturnType<typeof setUp>>) => {
    await documents.deleteOne({ _id: 'bad/' })
  }

  test('is restored by the next opening if Redis has it whole', async () => {
    const stage = await setUp()
    await lose(stage)
    expect((await stage.store.claim('bad')).creds).toEqual(CREDS)
    await stage.hot.del(`${stage.name}:{bad}:creds`, `${stage.name}:{bad}:keys`)
    expect((await stage.store.get('bad'))?.data).toMatchObject({ creds: CREDS, keys: { session: { a: 1 } } })
    await stage.expectNoHarm()
  })

  test('can be deleted in both databases', async () => {
    const stage = await setUp()
    await lose(stage)
    await stage.store.delete('bad')
    expect((await stage.store.claim('bad')).creds).toBeNull()
    await stage.hot.del(`${stage.name}:{bad}:creds`, `${stage.name}:{bad}:keys`)
    expect(await stage.store.get('bad')).toBeNull()
    await stage.expectNoHarm()
  })

  test('is half a session if Redis has lost it, too, or if MongoDB has fields that Redis does not know', async () => {
    const stage = await setUp()
    await lose(stage)
    await stage.documents.updateOne({ _id: 'bad/session/a' }, { $set: { v: 50 } })
    const half = { code: 'SESSION_INCOMPLETE' }
    await expect(stage.store.claim('bad')).rejects.toMatchObject(half)
    await stage.hot.del(`${stage.name}:{bad}:creds`, `${stage.name}:{bad}:keys`)
    await expect(stage.store.claim('bad')).rejects.toMatchObject(half)
    await stage.expectNoHarm()
  })
})

test.each([
  ['a token beyond the limit', 50, { fencingToken: 2 ** 52 - 1 }],
  ['an instant beyond the limit', 50, { createdAt: 8.64e15 }],
  ['a version beyond the limit', 2 ** 52, {}],
])('an outbox entry with %s is parked, and its session is unchanged', async (_, version, members) => {
  const { store, hot, name, expectNoHarm } = await setUp()
  const base = { id: `bad:${version}`, sessionId: 'bad', version, status: 'pending', attempts: 0 }
  const known = {
    patch: { keys: { session: { a: null } } },
    createdAt: 1,
    updatedAt: 1,
    operationId: 'foreign',
  }
  await hot.hset(`${name}:outbox:{bad}`, String(version), JSON.stringify({ ...base, ...known, ...members }))
  await store.reconcileOutbox().catch(() => {})
  expect((await store.claim('bad')).creds).toEqual(CREDS)
  expect(await store.getKeys('bad', 'session', ['a'])).toEqual({ a: 1 })
  await expectNoHarm()
})

test('an outbox lock that was left without an expiry gets one', async () => {
  const { store, hot, name } = await setUp()
  await hot.set(`lock:${name}:outbox:{bad}`, 'somebody')
  const job = { id: 'bad:1', sessionId: 'bad', version: 1 }
  store.processOutboxJob(job).catch(() => {}) // waits for the lock
  await expect.poll(() => hot.pttl(`lock:${name}:outbox:{bad}`)).not.toBe(-1)
})
