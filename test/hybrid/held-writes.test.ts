import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createHybridStore, type HybridOptions } from '../../src/hybrid/index.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

/** More than a process holds of what MongoDB does not have: of the rest the outbox alone has the values. */

const VALUE_BYTES = 4 * 1024 * 1024
const VALUES = 18
const TEST_MS = 120_000

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

/** `one` has sent all of its writes, and MongoDB answers none of them until `release`. */
async function setUp() {
  const proxy = await startFaultProxy(mongo.port)
  onTestFinished(() => proxy.close())
  const name = `held-${randomBytes(6).toString('hex')}`
  const place = { redisUrl: redis.url, prefix: name, mongoCollection: name }
  const open = async (options: HybridOptions) => {
    const store = await createHybridStore({ ...place, ...options })
    onTestFinished(() => store.close())
    return store
  }
  const other = await open({ mongoUrl: mongo.url })
  const one = await open({
    mongoUrl: mongo.url.replace(String(mongo.port), String(proxy.port)),
    resilience: { operationTimeout: 60_000 },
  })
  await one.set('s', { creds: { registrationId: 7 } })
  const release = proxy.hold()
  const values = Array.from({ length: VALUES }, () => randomBytes(VALUE_BYTES))
  const writes = values.map((value, n) => one.set('s', { keys: { session: { [n]: value } } }))
  await expect.poll(async () => (await other.get('s'))?.version, { timeout: 20_000 }).toBe(1 + VALUES)
  const durabilities = async () => new Set((await Promise.all(writes)).map(({ durability }) => durability))
  return { values, other, release, durabilities }
}

test(
  'they reach MongoDB in order',
  async () => {
    const { values, other, release, durabilities } = await setUp()
    release()
    expect(await durabilities()).toEqual(new Set(['durable']))
    await client.flushall()
    const found = Object.values((await other.get('s'))?.data.keys.session ?? {}) as Uint8Array[]
    expect(found.map((bytes, n) => values[n]?.equals(bytes))).toEqual(values.map(() => true))
  },
  TEST_MS,
)

test(
  'that another process has brought over, they are acknowledged without waiting for it',
  async () => {
    const { other, release, durabilities } = await setUp()
    await other.reconcileOutbox()
    release()
    expect(await durabilities()).toEqual(new Set(['durable', 'outbox']))
  },
  TEST_MS,
)
