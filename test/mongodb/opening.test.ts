import { inspect } from 'node:util'
import { MongoClient, type MongoClientOptions } from 'mongodb'
import { MongoClient as MongoClient6 } from 'mongodb-6'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Logger, nullLogger } from '../../src/core/logger.js'
import {
  createMongoStore,
  type GivenMongoClient,
  type MongoOptions,
  useMongoAuthState,
} from '../../src/mongodb/index.js'
import { openConnection } from '../../src/mongodb/open-connection.js'
import { deferred } from '../support/deferred.js'
import { alterClient } from '../support/mongodb/altered-client.js'
import { openStore, useServer } from '../support/mongodb/own-collection.js'

const CREDS = { registrationId: 7 }
const DATABASE = 'opening'

const server = useServer(DATABASE, { ttlSweep: '1 seconds' })
const given = (mongoClient: GivenMongoClient): MongoOptions => ({ mongoClient })

describe('a given client', () => {
  const odd = { promoteBuffers: false, promoteValues: false, readPreference: 'secondaryPreferred' } as const
  test.each<[string, () => GivenMongoClient]>([
    ['mongodb 6', () => new MongoClient6(server.url)],
    ['mongodb 7', () => new MongoClient(server.url)],
    ['one with its own reading of values and choice of servers', () => new MongoClient(server.url, odd)],
    ['one with ignoreUndefined', () => new MongoClient(server.url, { ignoreUndefined: true })],
  ])('%s is used as it is and left open', async (_, make) => {
    const own = make()
    const mongodb = { ...given(own), ...server.place() }
    const { state, saveCreds, store, close } = await useMongoAuthState({ sessionId: 's', mongodb })
    await state.keys.set({ 'lid-mapping': { a: '1' } })
    await saveCreds()
    expect(await state.keys.get('lid-mapping', ['a', 'b'])).toEqual({ a: '1' })
    expect((await store.list()).sessionIds).toEqual(['s'])
    expect((await store.get('s'))?.data.keys).toEqual({ 'lid-mapping': { a: '1' } })
    await close()
    const again = await createMongoStore(mongodb)
    expect(await again.exists('s')).toBe(true)
    await again.close()
    await own.close()
  })

  test('with write concern 0 is refused', async () => {
    const careless = new MongoClient(server.url, { writeConcern: { w: 0 } })
    await expect(createMongoStore(given(careless))).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    const url = `${server.url}?w=0`
    await expect(createMongoStore({ mongoUrl: url })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})

describe('a URL', () => {
  test('names the database, unless the option does', async () => {
    const { collection } = server.place()
    const mongoUrl = server.url.replace(/\/(\?|$)/, `/${DATABASE}$1`)
    const store = await openStore({ mongoUrl, collection })
    await store.set('s', { creds: CREDS })
    expect(await server.documents(collection).countDocuments()).toBe(2)
    const other = await openStore({ mongoUrl, collection, database: `${DATABASE}-other` })
    expect(await other.exists('s')).toBe(false)
    await server.client.db(`${DATABASE}-other`).dropDatabase()
  })

  test('takes precedence over the defaults, and the options of the driver over both', async () => {
    const optionsOf = async (query: string, mongoOptions = {}) => {
      const { connection, release } = await openConnection(
        { mongoUrl: `mongodb://a/${query}`, mongoOptions },
        5000,
      )
      await release()
      const { appName, socketTimeoutMS, serverSelectionTimeoutMS } = connection.client
        .options as MongoClientOptions
      return [appName, socketTimeoutMS, serverSelectionTimeoutMS]
    }
    expect(await optionsOf('')).toEqual(['baileys-store-core', 5000, 4000])
    expect(await optionsOf('?appName=mine&sockettimeoutms=12')).toEqual(['mine', 12, 4000])
    expect(await optionsOf('?appName=mine', { appName: 'ours' })).toEqual(['ours', 5000, 4000])
  })

  test('used twice with equal options shares one pool; functions are equal if they are the same', async () => {
    const open = async (options: object) =>
      openConnection({ mongoUrl: 'mongodb://a', mongoOptions: options }, 5000)
    const lookup = () => {}
    const given = [{}, {}, { appName: 'x' }, { lookup }, { lookup }, { lookup() {} }]
    const leases = await Promise.all(given.map(open))
    expect(new Set(leases.map(({ connection }) => connection)).size).toBe(4)
    expect(leases[0]?.connection).toBe(leases[1]?.connection)
    expect(leases[3]?.connection).toBe(leases[4]?.connection)
    await Promise.all(leases.map(({ release }) => release()))
  })

  test.each(['mongodb://user:hunter2@127.0.0.1:1/?replicaSet=', 'mongodb://user:hunter2@[::1/'])(
    'shows its password in no error: %s',
    async mongoUrl => {
      const opening = createMongoStore({ mongoUrl, resilience: { operationTimeout: 300 } })
      const error = await opening
        .then(
          store => store.get('s').finally(() => store.close()),
          failure => failure,
        )
        .catch(failure => failure)
      expect(error).toBeInstanceOf(Error)
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('hunter2')
    },
  )
})

test.each<[object, string]>([
  [{}, 'must say where MongoDB is'],
  [{ mongoUrl: 'http://localhost' }, '"mongodb.mongoUrl" must be a mongodb:// or mongodb+srv:// URL'],
  [{ mongoUrl: 'mongodb://a', mongoClient: { db() {}, connect() {}, close() {} } }, 'not both'],
  [{ mongoClient: { db() {}, connect() {}, close() {} }, mongoOptions: {} }, 'not both'],
  [{ mongoUri: 'mongodb://a' }, 'did you mean "mongoUrl"'],
  [{ mongoUrl: 'http://u:s3cret@a' }, 'got one that begins with "http:"'],
  [{ mongoUrl: 'redis://u:s3cret@a' }, 'got one that begins with "redis:"'],
  ...['p@s3cret', 'p/s3cret@', 'p@s3cret/w', 's3cret#', '/s3cret'].map((password): [object, string] => [
    { mongoUrl: `mongodb://u:${password}@localhost` },
    'as encodeURIComponent writes them',
  ]),
  [{ mongoUrl: 'mongodb://a', databaseName: 'x' }, 'did you mean "database"?'],
  [{ mongoUrl: 'mongodb://a', mongoCollection: 'x' }, 'did you mean "collection"?'],
  [{ mongoUrl: 'mongodb://a', database: 'a/b' }, '"mongodb.database" must be'],
  [{ mongoUrl: 'mongodb://a', collection: 'system.x' }, '"mongodb.collection" must be'],
  [{ mongoClient: {} }, '"mongodb.mongoClient" must be a MongoClient'],
  [{ mongoUrl: 'mongodb://u:s3cret@a/x?retryWrite=true' }, 'refused "retryWrite" in "mongoUrl"'],
  [{ mongoUrl: 'mongodb://a', mongoOptions: { poolSize: 5 } }, 'refused "poolSize" in'],
  [{ mongoUrl: 'mongodb://u:pa?s3cret=x@a' }, 'as encodeURIComponent writes them (MongoParseError)'],
  [{ mongoUrl: 'mongodb://u:s3cret%@a' }, 'as encodeURIComponent writes them'],
  [{ mongoUrl: 'mongodb+srv://u:s3cret@a.b.c:27017' }, 'must have one host and no port'],
])('%j is refused: %s', async (options, message) => {
  const opening = createMongoStore(options)
  await expect(opening).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(opening).rejects.toThrow(message)
  await expect(opening).rejects.not.toThrow('s3cret')
})

test('closing a store releases a pool that was never used', async () => {
  const store = await createMongoStore({ mongoUrl: 'mongodb://127.0.0.1:1' })
  await store.close()
  await expect(store.get('s')).rejects.toMatchObject({ code: 'CLOSED' })
})

describe('indexes', () => {
  async function warningsOf(
    prepare: (name: string) => Promise<unknown>,
    mongoClient: GivenMongoClient = server.client,
  ) {
    const names = server.place()
    await prepare(names.collection)
    const warnings: string[] = []
    const logger: Logger = { ...nullLogger, warn: (_context, text) => warnings.push(text) }
    const store = await openStore({ mongoClient, ...names, security: { logger } })
    await store.set('s', { creds: CREDS })
    expect((await store.list()).sessionIds).toEqual(['s'])
    await store.close() // waits for the indexes
    const documents = server.documents(names.collection)
    const keys = (await documents.indexes()).map(({ key }) => Object.keys(key).join())
    return { warnings, keys: keys.sort() }
  }
  const collection = server.documents
  const both = ['_id', 'expiresAt', 'session']

  test('are created when they are missing', async () => {
    expect(await warningsOf(async () => {})).toEqual({ warnings: [], keys: both })
  })

  test('with another name or a longer grace are left as they are', async () => {
    const made = warningsOf(async name => {
      await collection(name).createIndex({ expiresAt: 1 }, { name: 'mine', expireAfterSeconds: 3600 })
      await collection(name).createIndex({ session: 1 }, { name: 'also-mine' })
    })
    expect(await made).toEqual({ warnings: [], keys: both })
  })

  test('that expire nothing are reported and left', async () => {
    const { warnings, keys } = await warningsOf(name => collection(name).createIndex({ expiresAt: 1 }))
    expect(keys).toEqual(both)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/expiresAt_1.*does not remove expired sessions.*Drop it/)
  })

  test('that the server hides from its planner are reported', async () => {
    const mongoClient = alterClient(server.client, {
      documents: documents => ({
        indexes: async () => (await documents.indexes()).map(index => ({ ...index, hidden: true })),
      }),
    })
    const { warnings } = await warningsOf(name => collection(name).createIndex({ session: 1 }), mongoClient)
    expect(warnings).toEqual([expect.stringMatching(/session_1.*reads the whole collection/)])
  })

  test('are reported when their names are taken', async () => {
    const { warnings } = await warningsOf(name =>
      collection(name).createIndex({ other: 1 }, { name: 'expiresAt_1' }),
    )
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/could not be created/)
  })
})

describe('an index build that does not end', () => {
  test('holds up no call, and is reported when it fails', async () => {
    const build = deferred<never>()
    const mongoClient = alterClient(server.client, {
      documents: () => ({ createIndex: () => build.promise }),
    })
    const warnings: string[] = []
    const logger: Logger = { ...nullLogger, warn: (_context, text) => warnings.push(text) }
    const store = await openStore({ mongoClient, ...server.place(), security: { logger } })
    await store.set('s', { creds: CREDS })
    expect((await store.list()).sessionIds).toEqual(['s'])
    expect(warnings).toEqual([])
    build.reject(Object.assign(new Error('connection 3 timed out'), { name: 'MongoNetworkTimeoutError' }))
    await expect.poll(() => warnings).toHaveLength(2)
    expect(warnings[0]).toMatch(/could not be created \(MongoNetworkTimeoutError\).*sweeps them away/)
    expect(await store.exists('s')).toBe(true)
  })
})

describe('an expired session', () => {
  const OLD = new Date(Date.now() - 60_000)

  test('is removed by the server', async () => {
    const names = server.place()
    const store = await openStore({ mongoUrl: server.url, ...names })
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    const documents = server.documents(names.collection)
    await documents.updateMany({}, { $set: { expiresAt: OLD, endsAt: OLD } })
    expect(await store.get('s')).toBeNull()
    await expect.poll(() => documents.countDocuments(), { timeout: 100_000, interval: 500 }).toBe(0)
  }, 120_000)

  test('is swept by the store where the server does not remove it', async () => {
    const names = server.place()
    const documents = server.documents(names.collection)
    await documents.createIndex({ expiresAt: 1 }) // in the way of one that expires
    const writer = await openStore({ mongoUrl: server.url, ...names })
    await writer.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    await writer.set('stays', { creds: CREDS })
    await documents.updateMany({ _id: /^s\// as never }, { $set: { expiresAt: OLD } })
    const other = new MongoClient(server.url)
    const store = await createMongoStore({ ...given(other), ...names })
    await store.claim('another')
    await store.close() // waits for the sweep
    await other.close()
    const left = await documents.find().toArray()
    expect(left.map(({ _id }) => String(_id)).sort()).toEqual(['another/', 'stays/', 'stays/creds/'])
  })
})

test('no sweep begins while one runs', async () => {
  const sweep = deferred<object>()
  let sweeps = 0
  const deleteMany = (filter: object) => {
    if (!('expiresAt' in filter)) return Promise.resolve({})
    sweeps++
    return sweep.promise
  }
  const mongoClient = alterClient(server.client, { documents: () => ({ deleteMany }) })
  const realNow = performance.now.bind(performance)
  let elapsedMs = 0
  performance.now = () => realNow() + elapsedMs
  onTestFinished(() => {
    performance.now = realNow
  })
  const store = await openStore({ mongoClient, ...server.place() })
  const claim = () => store.claim('s')
  for (let hour = 0; hour < 3; hour++) {
    await claim()
    elapsedMs += 61 * 60 * 1000
  }
  expect(sweeps).toBe(1)
  sweep.resolve({})
  await claim() // an hour counts from the end of a sweep
  expect(sweeps).toBe(1)
  elapsedMs += 61 * 60 * 1000
  await claim()
  expect(sweeps).toBe(2)
})

test('a renewed lease goes by the clock of the server at its renewal', async () => {
  let skewMs = 0
  const mongoClient = alterClient(server.client, {
    command: ({ hello }) => hello && Promise.resolve({ localTime: new Date(Date.now() + skewMs) }),
  })
  const names = server.place()
  const store = await openStore({ mongoClient, ...names })
  const { fencingToken } = await store.claim('s', { exclusive: true })
  const realNow = performance.now.bind(performance)
  performance.now = () => realNow() + 61_000
  onTestFinished(() => {
    performance.now = realNow
  })
  skewMs = 3_600_000
  await store.renewLease('s', fencingToken)
  const head = await server.documents(names.collection).findOne({ _id: 's/' })
  const leaseUntil: Date = head?.leaseUntil
  expect(leaseUntil.getTime()).toBeGreaterThan(Date.now() + 3_000_000)
})

test('the clock of the server counts, not that of the process', async () => {
  const names = server.place()
  const store = await openStore({ mongoUrl: server.url, ...names, ttl: { defaultTtl: 3600 } })
  const realNow = Date.now
  Date.now = () => realNow() + 10 * 365 * 24 * 60 * 60 * 1000
  try {
    await store.set('s', { creds: CREDS })
    const head = await server.documents(names.collection).findOne({ session: 's' })
    const endsAt: Date = head?.endsAt
    const minutes = (endsAt.getTime() - realNow()) / 60_000
    expect(Math.round(minutes)).toBe(60)
  } finally {
    Date.now = realNow
  }
})
