import { MongoClient } from 'mongodb'
import { expect, onTestFinished, test } from 'vitest'
import type { HybridOptions } from '../../src/hybrid/index.js'
import { catchError } from '../support/catch-error.js'
import { startOwnServers } from '../support/hybrid/own-servers.js'

/** One Redis and prefix are in front of one MongoDB collection. */

const TEST_MS = 120_000
const CREDS = { registrationId: 7 }
const MARK = 'lock:outbox:collection'

test.each<[string, HybridOptions]>([
  ['database', { mongoDatabase: 'another' }],
  ['collection', { mongoCollection: 'another' }],
])(
  "a store on another %s is refused, and leaves the first one's outbox alone",
  async (_what, other) => {
    const { open, mongo, client } = await startOwnServers()
    const store = await open()
    await store.set('s', { creds: CREDS })
    await mongo.kill()
    expect(await store.set('s', { keys: { session: { a: 1 } } })).toMatchObject({ durability: 'outbox' })
    await mongo.restart()
    const stranger = await open(other)
    for (const call of [
      () => stranger.reconcileOutbox(),
      () => stranger.claim('s'),
      () => stranger.set('t', { creds: CREDS }),
      () => stranger.get('s'),
    ]) {
      const { message } = await catchError('INVALID_OPTION', call)
      expect(message).toContain('"baileys.auth"')
      expect(message).toContain('"prefix"')
      expect(message).toContain(MARK)
    }
    await store.reconcileOutbox()
    await client.del('baileys:auth:{s}:creds', 'baileys:auth:{s}:keys')
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 1 })
  },
  TEST_MS,
)

test(
  'a store of another prefix has a collection of its own, and so has one after the mark was deleted',
  async () => {
    const { open, client } = await startOwnServers()
    await (await open()).set('s', { creds: CREDS })
    const other = await open({ prefix: 'other', mongoCollection: 'another' })
    await other.set('s', { creds: CREDS })
    expect(await client.get(MARK)).toBe('baileys.auth')
    await client.del(MARK)
    const moved = await open({ mongoCollection: 'moved', prefix: 'baileys:auth' })
    await moved.set('t', { creds: CREDS })
    expect(await client.get(MARK)).toBe('baileys.moved')
    expect(await client.pttl(MARK)).toBeGreaterThan(10 * 365 * 24 * 60 * 60 * 1000)
  },
  TEST_MS,
)

test(
  'a store whose collection is refused leaves no mark',
  async () => {
    const { open, client, mongo } = await startOwnServers()
    const driver = await new MongoClient(mongo.url).connect()
    onTestFinished(() => driver.close())
    await driver.db('baileys').collection('foreign').createIndex({ creds: 1 }, { unique: true })
    const refused = await open({ mongoCollection: 'foreign' })
    await catchError('INVALID_OPTION', () => refused.claim('s'))
    expect(await client.get(MARK)).toBeNull()
    await (await open()).claim('s')
    expect(await client.get(MARK)).toBe('baileys.auth')
  },
  TEST_MS,
)

test(
  'a store whose Redis is away at first is checked once Redis is back',
  async () => {
    const { open, redis } = await startOwnServers()
    await (await open()).set('s', { creds: CREDS })
    const stranger = await open({ mongoCollection: 'another' })
    await redis.kill()
    await stranger.get('t').catch(() => {})
    await redis.restart()
    await (await open()).set('s', { creds: CREDS })
    const code = () =>
      stranger.get('t').then(
        () => 'answered',
        error => error.code,
      )
    await expect.poll(code, { timeout: 20_000 }).toBe('INVALID_OPTION')
  },
  TEST_MS,
)
