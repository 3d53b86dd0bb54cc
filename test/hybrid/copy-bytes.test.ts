import { MongoClient } from 'mongodb'
import { expect, onTestFinished, test } from 'vitest'
import type { OutboxJob } from '../../src/hybrid/index.js'
import type { AuthStore } from '../../src/index.js'
import { createMongoStore } from '../../src/mongodb/index.js'
import { createRedisStore } from '../../src/redis/index.js'
import { startOwnServers } from '../support/hybrid/own-servers.js'

/** The bytes of a deleted session's copy: the servers themselves remove them at the end of `trash.keepSeconds`. */

const TEST_MS = 120_000
const KEEP_MS = 100_000
const TRASH = { trash: { keepSeconds: KEEP_MS / 1000 } }
const SESSION = {
  creds: { registrationId: 7, me: { id: '15550001234:1@s.whatsapp.net' } },
  keys: { session: { a: 'a', b: 'b' } },
}

/** Their names begin with DEL. */
const COPIES = { _id: { $gte: '\u007f', $lt: '\u0080' } }
/** The creds, two keys and the note of the copy. */
const VALUES = 4

async function setUpBytes() {
  const servers = await startOwnServers()
  const driver = await new MongoClient(servers.mongo.url).connect()
  onTestFinished(() => driver.close())
  const documents = driver.db('baileys').collection<{ _id: string; expiresAt?: Date; data?: unknown }>('auth')
  /** When MongoDB removes each value of a copy, in ms from now. */
  const endsInMongo = async () => {
    const found = await documents.find(COPIES).toArray()
    const values = found.filter(({ data }) => data !== undefined)
    return values.map(({ expiresAt }) =>
      expiresAt ? expiresAt.getTime() - Date.now() : Number.POSITIVE_INFINITY,
    )
  }
  /** When Redis removes each of the two hashes of a copy, in ms from now. */
  const endsInRedis = async () => {
    const names = (await servers.client.keys('*\u007f*')).filter(name => !name.startsWith('outbox'))
    return Promise.all(names.map(name => servers.client.pttl(name)))
  }
  return { ...servers, documents, endsInMongo, endsInRedis }
}

async function removeFrom(store: AuthStore) {
  await store.set('s', SESSION)
  await store.delete('s')
}

function expectEnds(ends: number[], count: number, keepMs = KEEP_MS) {
  expect(ends).toHaveLength(count)
  for (const end of ends) {
    expect(end).toBeGreaterThan(0)
    expect(end).toBeLessThanOrEqual(keepMs)
  }
}

test.each([undefined, { defaultTtl: 0 }])(
  'Redis and MongoDB remove a copy at its end, whatever the life of a session: %j',
  async ttl => {
    const { redis, mongo, endsInRedis, endsInMongo } = await setUpBytes()
    const options = { ...TRASH, ...(ttl && { ttl }) }
    const stores = [
      await createRedisStore({ redisUrl: redis.url, ...options }),
      await createMongoStore({ mongoUrl: mongo.url, ...options }),
    ]
    for (const store of stores) await removeFrom(store)
    expectEnds(await endsInRedis(), 2)
    expectEnds(await endsInMongo(), VALUES)
    for (const store of stores) await store.close()
  },
  TEST_MS,
)

test.each([false, true])(
  'both databases of a hybrid store remove a copy at its end; write-behind: %s',
  async enableWriteBehind => {
    const { open, endsInRedis, endsInMongo, client } = await setUpBytes()
    const store = await open({ ...TRASH, enableWriteBehind })
    await removeFrom(store)
    await expect.poll(async () => (await endsInMongo()).length, { timeout: 10_000 }).toBe(VALUES)
    expectEnds(await endsInRedis(), 2)
    expectEnds(await endsInMongo(), VALUES)
    await client.flushall()
    await store.set('s', SESSION)
    await expect(store.restore('s')).rejects.toMatchObject({ code: 'VERSION_MISMATCH' }) // Redis has loaded the copy
    expectEnds(await endsInRedis(), 2)
  },
  TEST_MS,
)

test(
  'another process, which keeps copies longer, gives MongoDB the life that the deletion has given',
  async () => {
    const { open, endsInMongo } = await setUpBytes()
    const jobs: OutboxJob[] = []
    const queue = { add: async (_: string, job: OutboxJob) => void jobs.push(job), close: async () => {} }
    await removeFrom(await open({ ...TRASH, enableWriteBehind: true, queue }))
    expect(await endsInMongo()).toEqual([])
    const worker = await open({ trash: { keepSeconds: 10 * (KEEP_MS / 1000) } })
    for (const job of jobs) await worker.processOutboxJob(job)
    expectEnds(await endsInMongo(), VALUES)
  },
  TEST_MS,
)

test(
  'a MongoDB that has lost a copy gets it back from Redis with the rest of its life',
  async () => {
    const { open, documents, endsInMongo } = await setUpBytes()
    const store = await open({ ...TRASH, ttl: { defaultTtl: 0 } })
    await removeFrom(store)
    await documents.deleteMany(COPIES)
    const creds = { ...SESSION.creds, registrationId: 8 }
    await store.set('s', { creds, keys: { session: { a: 'later' } } })
    await expect(store.restore('s')).rejects.toMatchObject({ code: 'VERSION_MISMATCH' }) // it has opened the copy
    expectEnds(await endsInMongo(), VALUES)
  },
  TEST_MS,
)
