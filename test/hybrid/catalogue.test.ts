import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { createHybridStore, type HybridOptions } from '../../src/hybrid/index.js'
import { createMongoStore } from '../../src/mongodb/index.js'
import { CREDS } from '../conformance/auth-store/harness.js'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { KEEPS_ALL, startRedis } from '../support/redis/redis-server.js'
import { sessionsOf } from '../support/sessions-of.js'

const PAIRED = { ...CREDS, me: { id: '1@s.whatsapp.net' } }

/** Servers of its own, since the tests stop them. */
async function setUp() {
  const [redis, mongo] = await Promise.all([startRedis({ config: KEEPS_ALL }), startMongo()])
  const client = new Redis(redis.url)
  const stores: { close(): Promise<void> }[] = []
  onTestFinished(async () => {
    client.disconnect()
    await Promise.all(stores.map(store => store.close()))
    await Promise.all([redis.stop(), mongo.stop()])
  })
  const keep = <T extends { close(): Promise<void> }>(store: T): T => {
    stores.push(store)
    return store
  }
  const open = async (options: HybridOptions = {}) =>
    keep(await createHybridStore({ redisUrl: redis.url, mongoUrl: mongo.url, ...options }))
  const openMongo = async () => keep(await createMongoStore({ mongoUrl: mongo.url }))
  return { redis, mongo, client, open, openMongo }
}

test('both databases know what the catalogue tells', async () => {
  const { client, open, openMongo } = await setUp()
  const store = await open()
  await store.set('s', { creds: PAIRED })
  const { fencingToken } = await store.claim('s', { owner: 'worker-1' })
  await store.set('s', { keys: { session: { a: 1 } } }, undefined, fencingToken)
  const info = await store.describe('s')
  expect(info).toMatchObject({ version: 2, isPaired: true, owner: { label: 'worker-1', fencingToken } })
  expect(await (await openMongo()).describe('s')).toMatchObject({
    version: 2,
    isPaired: true,
    createdAt: info?.createdAt,
    owner: { label: 'worker-1', fencingToken },
  })
  await client.flushall()
  expect(await (await open()).describe('s')).toMatchObject({
    createdAt: info?.createdAt,
    owner: { label: 'worker-1' },
  })
})

test('a catalogue loads no session into Redis', async () => {
  const { client, open } = await setUp()
  const store = await open({ resilience: { operationTimeout: 60_000 } }) // 120 sessions begin at once
  const names = Array.from({ length: 120 }, (_, n) => `bot-${n}`)
  await Promise.all(names.map(name => store.set(name, { creds: PAIRED })))
  await client.flushall()
  const infos = await sessionsOf(await open())
  expect(infos.map(({ sessionId }) => sessionId).sort()).toEqual([...names].sort())
  expect(infos.every(({ isPaired, createdAt }) => isPaired && createdAt)).toBe(true)
  expect((await client.keys('*')).filter(key => key.includes('bot-'))).toEqual([])
})

test('describes what Redis has while MongoDB is away, and fails for the rest', async () => {
  const { mongo, client, open } = await setUp()
  const store = await open()
  await store.set('hot', { creds: CREDS })
  await store.set('cold', { creds: CREDS })
  const keys = (await client.keys('*')).filter(key => key.includes('{cold}'))
  await client.del(keys)
  await mongo.kill()
  expect(await store.describe('hot')).toMatchObject({ version: 1, isPaired: false })
  await expect(store.describe('cold')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(store.describe('absent')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
})

test('describes what MongoDB has while Redis is away', async () => {
  const { redis, open } = await setUp()
  const store = await open()
  await store.set('s', { creds: PAIRED })
  await store.claim('s', { owner: 'worker-1' })
  await redis.kill()
  const other = await open()
  expect(await other.describe('s')).toMatchObject({ isPaired: true, owner: { label: 'worker-1' } })
  await expect(other.describe('absent')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
})

test('the later of the two answers counts', async () => {
  const { mongo, open } = await setUp()
  const store = await open({ enableWriteBehind: true })
  await store.set('s', { creds: CREDS })
  await mongo.kill()
  const { version, durability } = await store.set('s', { creds: PAIRED })
  expect(durability).toBe('outbox')
  expect(await store.describe('s')).toMatchObject({ version, isPaired: true })
  await mongo.restart()
  expect(await store.describe('s')).toMatchObject({ version, isPaired: true })
})
