import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { compressSync } from 'snappy'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { EarlierCodec } from '../../src/core/transfer/earlier-codec.js'
import { createHybridStore, readEarlierHybridSession, useHybridAuthState } from '../../src/hybrid/index.js'
import { deserialize, importSession, type SessionSource } from '../../src/index.js'
import { readEarlierMongoSession } from '../../src/mongodb/index.js'
import { readEarlierRedisSession } from '../../src/redis/index.js'
import { createSqliteStore } from '../../src/sqlite/index.js'
import { catchErrorSync } from '../support/catch-error.js'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { startRedis } from '../support/redis/redis-server.js'

interface Fixture {
  store: 'redis' | 'mongodb' | 'hybrid'
  how: string
  masterKey?: string
  strings: Record<string, string>
  hashes: Record<string, Record<string, string>>
  documents: ({ _id: string } & Record<string, unknown>)[]
}

/** Written by the hooks of release 1.0.0-rc.4: see bench/peer/store-fixtures.ts. */
const { expected, fixtures } = deserialize(
  readFileSync(new URL('../fixtures/earlier-sessions.json', import.meta.url), 'utf8'),
) as { expected: { creds: object; keys: { session: object } }; fixtures: Fixture[] }
/** The hybrid hook of that release never removed a key from Redis. */
const inRedis = {
  creds: expected.creds,
  keys: {
    ...expected.keys,
    session: { ...expected.keys.session, '15550001234:12.0': Buffer.from('another') },
  },
}
const DATABASE = `earlier-${process.pid}`
const PREFIX = 'baileys:auth:old'

/** Of its own, since those releases have one prefix. */
let redis: Awaited<ReturnType<typeof startRedis>>
let mongo: Awaited<ReturnType<typeof startMongo>>
let client: Redis
let durable: MongoClient

beforeAll(async () => {
  ;[redis, mongo] = await Promise.all([startRedis(), startMongo({ shared: true })])
  client = new Redis(redis.url)
  durable = new MongoClient(mongo.url)
})
beforeEach(async () => {
  await client.flushall()
  await documentsOf().deleteMany({})
})
afterAll(async () => {
  await durable.db(DATABASE).dropDatabase()
  await Promise.all([client.quit(), durable.close()])
  await Promise.all([redis.stop(), mongo.stop()])
})

function documentsOf() {
  return durable.db(DATABASE).collection<{ _id: string }>('auth')
}

function find(store: Fixture['store'], how: string): Fixture {
  return fixtures.find(one => one.store === store && one.how === how) as Fixture
}

async function put({ strings, hashes, documents }: Fixture): Promise<void> {
  for (const [key, text] of Object.entries(strings)) await client.set(key, text)
  for (const [key, entries] of Object.entries(hashes)) await client.hset(key, entries)
  if (documents.length > 0) await documentsOf().insertMany(structuredClone(documents))
}

function sourceOf(store: Fixture['store'], masterKey: string | undefined, sessionId = 'old'): SessionSource {
  const options = { masterKey }
  const place = { mongoUrl: mongo.url }
  switch (store) {
    case 'redis':
      return readEarlierRedisSession({ ...options, redisUrl: redis.url }, sessionId)
    case 'mongodb':
      return readEarlierMongoSession({ ...options, ...place, database: DATABASE }, sessionId)
    default:
      return readEarlierHybridSession(
        { ...options, ...place, redisUrl: redis.url, mongoDatabase: DATABASE },
        sessionId,
      )
  }
}

async function importInto(source: SessionSource) {
  const store = await createSqliteStore({ path: ':memory:', security: { enableEncryption: false } })
  onTestFinished(() => store.close())
  const importing = importSession(store, 'new', source)
  const read = async () => {
    const { creds, keys } = (await store.get('new'))?.data ?? {}
    return { creds, keys }
  }
  return { store, importing, read }
}

/** What is in the two databases, so that a test can tell whether it has changed. */
async function dump() {
  const keys = (await client.keys('*')).sort()
  const values = await Promise.all(keys.map(key => client.dumpBuffer(key)))
  return {
    keys,
    values,
    documents: await documentsOf().find().toArray(),
    indexes: await documentsOf()
      .indexes()
      .catch(() => []),
  }
}

describe('a session of an earlier release', () => {
  test.each(fixtures)('is imported as it was, and stays there: $store, $how', async fixture => {
    await put(fixture)
    const before = await dump()
    const { importing, read } = await importInto(sourceOf(fixture.store, fixture.masterKey))
    expect(await importing).toMatchObject({ isPaired: true, skipped: [] })
    expect(await read()).toEqual(fixture.store === 'hybrid' ? inRedis : expected)
    expect(await dump()).toEqual(before)
  })

  test.each(fixtures.filter(({ masterKey }) => masterKey !== undefined))(
    'is DECRYPTION_FAILED without its key, or with another one, and nothing is written: $store, $how',
    async fixture => {
      await put(fixture)
      for (const masterKey of [undefined, '8f'.repeat(32), '']) {
        if (masterKey === '' && /passphrase(,|$)/.test(fixture.how)) continue // no hex digit: the same key
        const { store, importing } = await importInto(sourceOf(fixture.store, masterKey))
        await expect(importing).rejects.toMatchObject({ code: 'DECRYPTION_FAILED', sessionId: 'old' })
        expect(await store.describe('new')).toBeNull()
      }
    },
  )

  test('is imported into the place where it is, and then opened there', async () => {
    const fixture = find('hybrid', 'with a key')
    await put(fixture)
    const hybrid = {
      redisUrl: redis.url,
      mongoUrl: mongo.url,
      mongoDatabase: DATABASE,
      masterKey: '8f'.repeat(32),
    }
    const opening = useHybridAuthState({ sessionId: 'old', hybrid })
    await expect(opening).rejects.toMatchObject({ code: 'FOREIGN_DATA' })
    const store = await createHybridStore(hybrid)
    onTestFinished(() => store.close())
    await importSession(store, 'old', sourceOf('hybrid', fixture.masterKey))
    const opened = await useHybridAuthState({ sessionId: 'old', store })
    onTestFinished(() => opened.close())
    expect(opened.isPaired).toBe(true)
    expect(opened.state.creds).toEqual(expected.creds)
    expect(await opened.state.keys.get('session', ['15550001234.0'])).toEqual({
      '15550001234.0': Buffer.from('a later session'),
    })
  })

  test.each(['redis', 'mongodb', 'hybrid'] as const)(
    'that is not there is INVALID_OPTION: %s',
    async store => {
      await put(find(store, 'plain'))
      const { importing } = await importInto(sourceOf(store, undefined, 'another'))
      await expect(importing).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(importing).rejects.toThrow('no session of this name')
    },
  )

  const damages: [string, (text: string) => string][] = [
    ['cut', text => text.slice(0, text.length / 2)],
    ['empty', () => ''],
    ['no object', () => '5'],
    ['null', () => 'null'],
  ]
  test.each(damages)('with a value that is %s is refused, and nothing is written', async (_, damage) => {
    for (const how of ['compressed', 'with a key']) {
      const { strings, masterKey } = find('redis', how)
      for (const part of ['creds', 'keys']) {
        const name = `${PREFIX}:${part}`
        await put({ ...find('redis', how), strings: { ...strings, [name]: damage(strings[name] as string) } })
        const { store, importing } = await importInto(sourceOf('redis', masterKey))
        await expect(importing).rejects.toMatchObject({ code: 'CORRUPT_VALUE', sessionId: 'old' })
        expect(await store.describe('new')).toBeNull()
      }
      const [document] = find('mongodb', how).documents
      await put({
        ...find('mongodb', how),
        documents: [{ ...document, _id: 'old', creds: damage(document?.creds as string) }],
      })
      const { store, importing } = await importInto(sourceOf('mongodb', masterKey))
      await expect(importing).rejects.toMatchObject({ code: 'DECRYPTION_FAILED', sessionId: 'old' })
      expect(await store.describe('new')).toBeNull()
      await documentsOf().deleteMany({})
    }
  })

  test('without creds is SESSION_INCOMPLETE', async () => {
    await put(find('redis', 'plain'))
    await client.del(`${PREFIX}:creds`)
    const { importing } = await importInto(sourceOf('redis', undefined))
    await expect(importing).rejects.toMatchObject({ code: 'SESSION_INCOMPLETE' })
  })

  test('that Redis has lost in part is that of MongoDB, with what waits for it', async () => {
    for (const lost of [['creds'], ['keys'], ['creds', 'keys', 'meta']]) {
      const fixture = find('hybrid', 'with a key, and a write waits for MongoDB')
      await put(fixture)
      await client.del(...lost.map(part => `${PREFIX}:${part}`))
      const { importing, read } = await importInto(sourceOf('hybrid', fixture.masterKey))
      await importing
      expect(await read()).toEqual(expected)
      await documentsOf().deleteMany({})
    }
  })

  test('of which MongoDB has nothing yet is that of the outbox', async () => {
    const fixture = find('hybrid', 'plain, and a write waits for MongoDB')
    const waiting = Object.entries(fixture.hashes['outbox:old'] ?? {}).map(([version, text]) => [
      version,
      JSON.stringify({ ...JSON.parse(text), status: 'pending' }),
    ])
    await put({
      ...fixture,
      strings: {},
      documents: [],
      hashes: { 'outbox:old': Object.fromEntries(waiting) },
    })
    const { importing, read } = await importInto(sourceOf('hybrid', undefined))
    await importing
    expect(await read()).toEqual(expected)
  })

  test('whose outbox is damaged is CORRUPT_VALUE', async () => {
    const fixture = find('hybrid', 'plain, and a write waits for MongoDB')
    for (const text of ['{', 'null', '{"version":"2","patch":{}}', '{"version":2}']) {
      await put({ ...fixture, documents: [], hashes: { 'outbox:old': { 2: text } } })
      const { importing } = await importInto(sourceOf('hybrid', undefined))
      await expect(importing).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
    }
  })

  test('takes some keys of a write of some keys from the outbox', async () => {
    const fixture = find('hybrid', 'plain, and a write waits for MongoDB')
    const patch = { keys: { session: { '15550001234:12.0': null, new: 'one' } } }
    const entry = JSON.stringify({ version: 2, status: 'failed', attempts: 3, patch })
    await put({ ...fixture, strings: {}, hashes: { 'outbox:old': { 2: entry } } })
    const { importing, read } = await importInto(sourceOf('hybrid', undefined))
    await importing
    const session = { '15550001234.0': Buffer.from('a session'), new: 'one' }
    expect(await read()).toEqual({ creds: expected.creds, keys: { ...expected.keys, session } })
  })

  test('has the creds of MongoDB if those of Redis have lost the pairing', async () => {
    const fixture = find('hybrid', 'plain')
    const name = `${PREFIX}:creds`
    const sealed = JSON.parse(fixture.strings[name] as string)
    const { me: _, ...unpaired } = expected.creds as Record<string, unknown>
    const ciphertext = Buffer.from(JSON.stringify({ creds: unpaired, version: 2 })).toString('base64')
    await put({
      ...fixture,
      strings: { ...fixture.strings, [name]: JSON.stringify({ ...sealed, ciphertext }) },
    })
    const { importing, read } = await importInto(sourceOf('hybrid', undefined))
    expect(await importing).toMatchObject({ isPaired: true, skipped: [{ skipped: 'creds in Redis' }] })
    expect(await read()).toEqual(inRedis)
  })

  test.each(['redis', 'mongodb', 'hybrid'] as const)(
    'whose server is away is STORE_UNAVAILABLE: %s',
    async store => {
      const nowhere = {
        redisUrl: 'redis://127.0.0.1:1',
        mongoUrl: 'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500',
      }
      const sources = {
        redis: () => readEarlierRedisSession({ redisUrl: nowhere.redisUrl }, 'old'),
        mongodb: () => readEarlierMongoSession({ mongoUrl: nowhere.mongoUrl }, 'old'),
        hybrid: () => readEarlierHybridSession({ redisUrl: redis.url, mongoUrl: nowhere.mongoUrl }, 'old'),
      }
      const { importing } = await importInto(sources[store]())
      await expect(importing).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await expect(importing).rejects.toThrow('127.0.0.1:1')
    },
  )
})

test('a value compressed with Snappy is read, also if it begins as JSON does', async () => {
  const codec = await EarlierCodec.create('old', undefined)
  for (const length of [10, 123 - '{"a":""}'.length, 10_000]) {
    const value = { a: 'x'.repeat(length) }
    const ciphertext = Buffer.from(compressSync(JSON.stringify(value)))
    expect(codec.decode('keys', { nonce: Buffer.alloc(0), ciphertext, keyId: 'none' })).toEqual(value)
  }
})

test('an error about a damaged value quotes nothing of it', async () => {
  const codec = await EarlierCodec.create('old', undefined)
  const nonce = Buffer.alloc(0)
  const damaged = '{"noiseKey":secret'
  const sealed = { nonce, ciphertext: Buffer.from(damaged), keyId: 'none' }
  for (const read of [() => codec.parse('outbox', damaged), () => codec.decode('creds', sealed)]) {
    const error = catchErrorSync(read)
    expect(error).toMatchObject({ code: 'CORRUPT_VALUE' })
    expect(inspect(error, { depth: 9 })).not.toContain('secret')
  }
})
