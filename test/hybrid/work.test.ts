import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createHybridStore } from '../../src/hybrid/index.js'
import type { AuthStore } from '../../src/index.js'
import { createMongoStore } from '../../src/mongodb/index.js'
import { createRedisStore } from '../../src/redis/index.js'
import { createSqliteStore } from '../../src/sqlite/index.js'
import { countWork } from '../support/count-work.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

/** What a call makes for the processor and the garbage collector. The bounds are some tenths above
 * what was counted: promises are the same in each run and on each Node, bytes are not. */

let redis: RedisServer
let mongo: MongoServer
let folder: string
beforeAll(async () => {
  ;[redis, mongo, folder] = await Promise.all([
    startRedis(),
    startMongo({ shared: true }),
    mkdtemp(join(tmpdir(), 'work-')),
  ])
}, 240_000)
afterAll(async () => {
  await Promise.all([redis?.stop(), mongo?.stop(), rm(folder, { recursive: true, force: true })])
})

const OPEN: Record<string, () => Promise<AuthStore>> = {
  sqlite: () => createSqliteStore({ path: join(folder, 'auth.db'), cache: false }),
  redis: () => createRedisStore({ redisUrl: redis.url, prefix: 'work', cache: false }),
  mongodb: () => createMongoStore({ mongoUrl: mongo.url, collection: 'work', cache: false }),
  hybrid: () =>
    createHybridStore({
      redisUrl: redis.url,
      prefix: 'work-hybrid',
      mongoUrl: mongo.url,
      mongoCollection: 'work-hybrid',
      cache: false,
    }),
}
const numbered = (length: number) =>
  Object.fromEntries(Array.from({ length }, (_, n) => [`k${n}`, { bytes: Buffer.alloc(200, n) }]))

type Call = 'get 1' | 'get 50' | 'set 1' | 'set 50'
/** Promises, and kilobytes of the heap. */
type Bounds = Record<Call, readonly [promises: number, kilobytes: number]>

const BOUNDS: Record<string, Bounds> = {
  sqlite: { 'get 1': [25, 30], 'get 50': [25, 200], 'set 1': [25, 80], 'set 50': [25, 260] },
  redis: { 'get 1': [35, 35], 'get 50': [35, 170], 'set 1': [33, 55], 'set 50': [33, 310] },
  mongodb: { 'get 1': [160, 140], 'get 50': [160, 480], 'set 1': [235, 220], 'set 50': [235, 600] },
  hybrid: { 'get 1': [68, 50], 'get 50': [68, 180], 'set 1': [390, 340], 'set 50': [390, 900] },
}

describe.each(Object.entries(BOUNDS))('%s', (name, bounds) => {
  test('makes no more promises and bytes a call than before', async () => {
    const store = await (OPEN[name] as () => Promise<AuthStore>)()
    onTestFinished(() => store.close())
    await store.set('s', { creds: { registrationId: 7 }, keys: { session: numbered(50) } })
    const get = (count: number) => () => store.getKeys('s', 'session', Object.keys(numbered(count)))
    const set = (count: number) => () => store.set('s', { keys: { session: numbered(count) } })
    const calls = { 'get 1': get(1), 'get 50': get(50), 'set 1': set(1), 'set 50': set(50) }
    for (const [call, run] of Object.entries(calls)) {
      const [promises, kilobytes] = bounds[call as Call]
      const work = await countWork(run)
      expect(work.promises, `promises of ${call}`).toBeLessThanOrEqual(promises)
      expect(work.kilobytes, `kilobytes of ${call}`).toBeLessThanOrEqual(kilobytes)
    }
  })
})
