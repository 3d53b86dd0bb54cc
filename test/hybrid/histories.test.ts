import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createHybridStore, type HybridOptions, type QueueAdapter } from '../../src/hybrid/index.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { createRedisDatabase } from '../support/redis/redis-database.js'
import { KEEPS_ALL, type RedisServer, startRedis } from '../support/redis/redis-server.js'

/** Writes without a token from several processes, which reach MongoDB out of order or begin two histories of a session. */

let redis: RedisServer
let mongo: MongoServer
let client: Redis
beforeAll(async () => {
  ;[redis, mongo] = await Promise.all([startRedis(), startMongo({ shared: true })])
  client = new Redis(redis.url)
}, 240_000)
afterAll(() => {
  client?.disconnect()
  return Promise.all([redis?.stop(), mongo?.stop()])
})

/** A queue without a worker. */
const NOBODY: QueueAdapter = { add: async () => {}, close: async () => {} }

/** Each `open` acts as another process, with a connection and a memory of versions of its own. */
async function setUp() {
  const hot = createRedisDatabase({ url: redis.url })
  const proxy = await startFaultProxy(mongo.port)
  onTestFinished(async () => {
    await proxy.close()
    await hot.remove()
  })
  const open = async (options: HybridOptions = {}) => {
    const name = randomBytes(6).toString('hex')
    const store = await createHybridStore({
      redisUrl: redis.url,
      prefix: hot.prefix,
      redisOptions: { connectionName: name },
      mongoUrl: mongo.url,
      mongoOptions: { appName: name },
      mongoCollection: hot.prefix,
      ...options,
    })
    onTestFinished(() => store.close())
    return store
  }
  const proxied = { mongoUrl: mongo.url.replace(String(mongo.port), String(proxy.port)) }
  return { hot, proxy, open, proxied }
}

test('a write overtaken on its way to MongoDB by later ones of another process is not written again', async () => {
  const { proxy, open, proxied } = await setUp()
  const [slow, fast] = [await open(proxied), await open()]
  await slow.set('s', { creds: { registrationId: 7 } })
  const release = proxy.hold()
  const overtaken = slow.set('s', { keys: { session: { a: 'first', b: 'first' } } })
  await expect.poll(() => fast.getKeys('s', 'session', ['b'])).toEqual({ b: 'first' })
  // As many as a session remembers, and one more.
  for (let n = 1; n <= 17; n++) await fast.set('s', { keys: { session: { a: n } } })
  release()
  expect(await overtaken).toMatchObject({ version: 2, durability: 'durable' })
  expect(await fast.set('s', { keys: { session: { c: 1 } } })).toMatchObject({ version: 20 })
  await client.flushall()
  expect(await (await open()).get('s')).toMatchObject({
    version: 20,
    data: { keys: { session: { a: 17, b: 'first', c: 1 } } },
  })
})

test.each([false, true])(
  'a write is read by its process again at once, though another process has taken its version (waiting writes: %s)',
  async waits => {
    const { hot, open } = await setUp()
    const [one, other] = [await open(), await open({ enableWriteBehind: true, queue: NOBODY })]
    await one.set('s', { creds: { registrationId: 7 }, keys: { session: { a: 'first' } } })
    await other.getKeys('s', 'session', ['a'])
    const goBack = await hot.remember()
    await one.set('s', { keys: { session: { a: 'later' } } })
    await goBack()
    for (let n = 0; n < 3; n++) await other.set('s', { keys: { session: { [`b${n}`]: n } } })
    if (!waits) await other.reconcileOutbox()
    const session = { a: 'later', b0: 0, b1: 1, b2: 2 }
    expect(await one.getKeys('s', 'session', ['a', 'b0', 'b1', 'b2'])).toEqual(session)
    expect((await other.get('s'))?.data.keys).toEqual({ session })
  },
)

test.each([1, 5])(
  'a write to a Redis that has lost %i writes, unknown to its process, comes after the writes in MongoDB',
  async lost => {
    const { hot, open } = await setUp()
    const [one, other] = [await open(), await open()]
    await one.set('s', { creds: { registrationId: 7 } })
    const goBack = await hot.remember()
    for (let n = 1; n <= lost; n++) await other.set('s', { keys: { session: { a: n, b: n } } })
    await goBack()
    const written = await one.set('s', { keys: { session: { a: 'after' } } })
    expect(written).toMatchObject({ durability: 'durable' })
    expect(written.version).toBeGreaterThan(lost + 1)
    const session = { a: 'after', b: lost }
    expect((await other.get('s'))?.data.keys).toEqual({ session })
    await client.flushall()
    expect((await (await open()).get('s'))?.data.keys).toEqual({ session })
  },
)

test('a version that Redis gives twice is noticed at once, and reads fail until MongoDB has decided', async () => {
  const { hot, proxy, open, proxied } = await setUp()
  const [one, other] = [await open(proxied), await open()]
  await one.set('s', { creds: { registrationId: 7 } })
  const goBack = await hot.remember()
  const release = proxy.hold()
  const first = one.set('s', { keys: { session: { a: 'first' } } })
  await expect.poll(() => other.getKeys('s', 'session', ['a'])).toEqual({ a: 'first' })
  await goBack()
  const second = one.set('s', { keys: { session: { b: 'second' } } })
  await expect(second).rejects.toMatchObject({ code: expect.stringMatching(/^(STORE_UNAVAILABLE|TIMEOUT)$/) })
  expect(await first).toMatchObject({ durability: 'outbox' })
  await expect(one.getKeys('s', 'session', ['a'])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  release()
})

test('a write of a former owner, taken by a Redis that has lost the claim, is neither read nor applied to MongoDB', async () => {
  const { hot, open } = await setUp()
  const former = await open({ enableWriteBehind: true, queue: NOBODY })
  const owner = await open()
  await owner.set('s', { creds: { registrationId: 7 }, keys: { session: { a: 'first' } } })
  const { fencingToken: earlier } = await former.claim('s')
  const goBack = await hot.remember()
  const { fencingToken } = await owner.claim('s')
  await goBack()
  const late = { keys: { session: { a: 'late', b: 'late' } } }
  expect(await former.set('s', late, undefined, earlier)).toMatchObject({ durability: 'outbox' })
  expect(await owner.getKeys('s', 'session', ['a', 'b'], fencingToken)).toEqual({ a: 'first' })
  await owner.set('s', { keys: { session: { c: 'next' } } }, undefined, fencingToken)
  expect(owner.getOutboxStats()).toMatchObject({ totalParked: 1 })
  const kept = { session: { a: 'first', c: 'next' } }
  expect((await owner.get('s'))?.data.keys).toEqual(kept)
  await client.flushall()
  expect((await (await open()).get('s'))?.data.keys).toEqual(kept)
})

test('a deletion in a Redis that has gone back also deletes the session in MongoDB', async () => {
  const { hot, open } = await setUp()
  const [one, other] = [await open(), await open()]
  await one.set('s', { creds: { registrationId: 7 } })
  const goBack = await hot.remember()
  for (let n = 1; n <= 5; n++) await other.set('s', { keys: { session: { a: n } } })
  await goBack()
  await one.delete('s')
  expect(await other.get('s')).toBeNull()
  await client.flushall()
  expect(await (await open()).get('s')).toBeNull()
})

/**
 * `one` has a write of its own that MongoDB does not have, and knows that another process's waits beside it.
 * `isOvertaken`: the other process has applied the write to MongoDB, which `one` does not know.
 */
async function setUpForeign({ isOvertaken = false } = {}) {
  const own = await startRedis({ config: KEEPS_ALL })
  onTestFinished(() => own.stop())
  const { proxy, open, proxied } = await setUp()
  const place = { redisUrl: own.url, enableWriteBehind: true }
  const other = await open({ ...place, queue: NOBODY })
  const one = await open({ ...place, ...proxied })
  await one.set('s', { creds: { registrationId: 7 } })
  await one.reconcileOutbox()
  const release = proxy.hold()
  await one.set('s', { keys: { session: { a: 'one' } } })
  if (isOvertaken) await other.reconcileOutbox()
  await other.set('s', { keys: { session: { b: 'other' } } })
  await one.set('s', { keys: { session: { c: 'one' } } })
  expect(await one.getKeys('s', 'session', ['b'])).toEqual({ b: 'other' })
  return { own, one, release }
}

test.each([false, true])(
  'a write does not reach MongoDB ahead of an earlier outbox entry while Redis is away (overtaken: %s)',
  async isOvertaken => {
    const { own, one, release } = await setUpForeign({ isOvertaken })
    await own.kill()
    release()
    await expect(one.getKeys('s', 'session', ['b'])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await own.restart()
    const found = () => one.getKeys('s', 'session', ['a', 'b', 'c']).catch(String)
    await expect.poll(found, { timeout: 20_000 }).toEqual({ a: 'one', b: 'other', c: 'one' })
  },
)

test('a call that needs values from the outbox asks Redis even if its circuit breaker has just opened', async () => {
  const { own, one, release } = await setUpForeign()
  const isOpen = async () => /^baileys_store_redis_breakers_open 1$/m.test(await one.getMetricsText())
  expect(await isOpen()).toBe(false) // and has counted the outboxes, for a minute
  await own.freeze()
  release()
  const read = () => one.getKeys('s', 'session', ['a', 'b', 'c'])
  const findingOut = Promise.allSettled([read(), read(), read()])
  await expect.poll(isOpen, { interval: 5, timeout: 10_000 }).toBe(true)
  own.thaw()
  expect(await read()).toEqual({ a: 'one', b: 'other', c: 'one' })
  await findingOut
})

test('a write of another process from before a write past Redis is read by the owner once Redis is back', async () => {
  const own = await startRedis({ config: KEEPS_ALL })
  onTestFinished(() => own.stop())
  const { open } = await setUp()
  const owner = await open({ redisUrl: own.url })
  const other = await open({ redisUrl: own.url, enableWriteBehind: true, queue: NOBODY })
  await owner.set('s', { creds: { registrationId: 7 }, keys: { session: { a: 'old' } } })
  const { fencingToken } = await owner.claim('s')
  const write = (n: number) => owner.set('s', { keys: { session: { n } } }, undefined, fencingToken)
  const read = () => owner.getKeys('s', 'session', ['a'], fencingToken)
  await other.set('s', { keys: { session: { a: 'other' } } })
  await own.kill()
  await write(1)
  expect(await read()).toEqual({ a: 'old' })
  await own.restart()
  const readAfterWrite = () =>
    write(2)
      .then(read)
      .catch(() => undefined)
  await expect.poll(readAfterWrite, { timeout: 10_000 }).toEqual({ a: 'other' })
})
