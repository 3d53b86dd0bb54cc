import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { startFaultProxy } from '../support/fault-proxy.js'
import { shareServers } from '../support/hybrid/hybrid-stores.js'

/** More unapplied writes than a process holds in memory: only the outbox has the values of the rest. */

const VALUE_BYTES = 4 * 1024 * 1024
const VALUES = 18
const TEST_MS = 240_000 // 72 MiB on a busy machine

const { servers, open } = shareServers()

/** `one` has sent all of its writes, and MongoDB answers none of them until `release`. */
async function setUp() {
  const { redis, mongo } = servers
  const proxy = await startFaultProxy(mongo.port)
  onTestFinished(() => proxy.close())
  const name = `held-${randomBytes(6).toString('hex')}`
  const place = { prefix: name, mongoCollection: name }
  const resilience = { operationTimeout: TEST_MS / 2 }
  const other = await open({ ...place, resilience })
  const one = await open({
    ...place,
    mongoUrl: mongo.url.replace(String(mongo.port), String(proxy.port)),
    resilience,
  })
  const flush = async () => {
    const client = new Redis(redis.url)
    await client.flushall()
    client.disconnect()
  }
  await one.set('s', { creds: { registrationId: 7 } })
  const release = proxy.hold()
  const values = Array.from({ length: VALUES }, () => randomBytes(VALUE_BYTES))
  const writes = values.map((value, n) => one.set('s', { keys: { session: { [n]: value } } }))
  await expect.poll(async () => (await other.get('s'))?.version, { timeout: TEST_MS / 2 }).toBe(1 + VALUES)
  const durabilities = async () => new Set((await Promise.all(writes)).map(({ durability }) => durability))
  return { values, other, release, durabilities, flush }
}

test(
  'more unapplied writes than a process holds reach MongoDB in order',
  async () => {
    const { values, other, release, durabilities, flush } = await setUp()
    release()
    expect(await durabilities()).toEqual(new Set(['durable']))
    await flush()
    const found = Object.values((await other.get('s'))?.data.keys.session ?? {}) as Uint8Array[]
    expect(found.map((bytes, n) => values[n]?.equals(bytes))).toEqual(values.map(() => true))
  },
  TEST_MS,
)

test(
  'more unapplied writes than a process holds are acknowledged when another process has applied them',
  async () => {
    const { other, release, durabilities } = await setUp()
    await other.reconcileOutbox()
    release()
    expect(await durabilities()).toEqual(new Set(['durable', 'outbox']))
  },
  TEST_MS,
)
