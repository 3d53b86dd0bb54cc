import { inspect } from 'node:util'
import { BSON, type Document, MongoClient } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type GivenMongoClient, type MongoOptions, useMongoAuthState } from '../../src/mongodb/index.js'
import { toStoreError } from '../../src/mongodb/mongo-errors.js'
import { alterClient } from '../support/mongodb/altered-client.js'
import { openStore, useServer } from '../support/mongodb/own-collection.js'

const CREDS = { registrationId: 7 }
const server = useServer('documents')

/** A store on a collection of its own. */
async function setUp(options: MongoOptions = {}) {
  const place = server.place()
  const open = (given: MongoOptions) => openStore({ ...options, ...given, ...place })
  const documents = server.documents(place.collection)
  return { store: await open({ mongoUrl: server.url }), open, documents }
}

describe('half a session', () => {
  test('is an error when its head is gone, and can be deleted', async () => {
    const { store, documents } = await setUp()
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    await store.set('t', { creds: CREDS })
    const { version } = await store.set('s', { keys: { session: { a: 2 } } })
    await documents.deleteOne({ _id: 's/' })
    const incomplete = { code: 'SESSION_INCOMPLETE' }
    await expect(store.get('s')).rejects.toMatchObject(incomplete)
    await expect(store.getKeys('s', 'session', ['other'])).rejects.toMatchObject(incomplete)
    await expect(store.claim('s')).rejects.toMatchObject(incomplete)
    await expect(useMongoAuthState({ sessionId: 's', store })).rejects.toMatchObject(incomplete)
    await store.delete('s')
    expect(await store.get('s')).toBeNull()
    expect((await store.set('s', { creds: CREDS })).version).toBeGreaterThan(version)
    expect((await store.get('s'))?.data.keys).toEqual({})
    expect(await store.exists('t')).toBe(true)
  })

  test('is not absent when its head comes while it is looked at', async () => {
    const { store, open, documents } = await setUp()
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    const head = (await documents.findOne({ _id: 's/' })) as Document & { _id: string }
    let looks = 0
    const mongoClient = alterClient(server.client, {
      documents: real => ({
        find(...input: Parameters<typeof real.find>) {
          const cursor = real.find(...input)
          if (!('gone' in (input[0] ?? {}))) return cursor
          const toArray = async () => {
            const remains = await cursor.toArray()
            if (++looks === 2) await documents.insertOne(head)
            return remains
          }
          return { toArray }
        },
      }),
    })
    const other = await open({ mongoClient })
    for (const ask of [
      () => other.exists('s'),
      () => other.get('s').then(found => found !== null),
      () => other.getKeys('s', 'session', ['a']).then(({ a }) => a === 1),
      () => other.listKeys('s').then(({ length }) => length === 1),
    ]) {
      await documents.deleteOne({ _id: 's/' })
      looks = 0
      expect(await ask()).toBe(true)
    }
  })

  test('is an error when its creds are gone', async () => {
    const { store, documents } = await setUp()
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    await documents.deleteOne({ _id: 's/creds/' })
    const incomplete = { code: 'SESSION_INCOMPLETE' }
    await expect(store.get('s')).rejects.toMatchObject(incomplete)
    await expect(useMongoAuthState({ sessionId: 's', store })).rejects.toMatchObject(incomplete)
  })

  test('is an error when its head is older than its fields', async () => {
    const { store, open, documents } = await setUp()
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    const head = await documents.findOne({ _id: 's/' })
    await store.set('s', { keys: { session: { a: 2 } } })
    await documents.replaceOne({ _id: 's/' }, head as object)
    const reader = await open({ mongoClient: server.client }) // it remembers nothing
    await expect(reader.get('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
  })
})

describe('a value', () => {
  test('too large for a document is refused before anything is written', async () => {
    const { store } = await setUp()
    await store.set('s', { creds: CREDS })
    const huge = { keys: { session: { small: 1, huge: 'x'.repeat(17 * 1024 * 1024) } } }
    await expect(store.set('s', huge)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    expect(await store.get('s')).toMatchObject({ version: 1, data: { keys: {} } })
  })

  test('of 15 MB is kept, also in a write of several such values', async () => {
    const options = { resilience: { operationTimeout: 30_000 }, trash: { keepSeconds: 0 } }
    const { store, documents } = await setUp(options)
    const large = Object.fromEntries(['p', 'q', 'r'].map(id => [id, id.repeat(15 * 1024 * 1024)]))
    await store.set('s', { creds: CREDS, keys: { session: large } })
    const found = await store.getKeys('s', 'session', ['p', 'q', 'r'])
    for (const [id, text] of Object.entries(large)) expect(found[id] === text).toBe(true)
    const parts = await documents.countDocuments({ _id: /^s\/\// as never })
    expect(parts).toBe(0) // the parts of a write that is too large for the head
    await store.delete('s')
    expect((await documents.find().toArray()).map(({ _id }) => _id)).toEqual(['s/'])
  })

  test('among 100,000 of one write is kept', async () => {
    const { store } = await setUp({ resilience: { operationTimeout: 600_000 } }) // a busy machine
    const ids = Array.from({ length: 100_000 }, (_, n) => `15550${n}.0`)
    await store.set('s', { creds: CREDS, keys: { session: Object.fromEntries(ids.map(id => [id, { id }])) } })
    expect(Object.keys(await store.getKeys('s', 'session', ids))).toHaveLength(100_000)
    expect(await store.getKeys('s', 'session', ['1555099999.0', 'none'])).toEqual({
      '1555099999.0': { id: '1555099999.0' },
    })
    expect(await store.listKeys('s')).toHaveLength(100_000)
  }, 900_000)

  test('whose id and session id are too long together is refused before anything is written', async () => {
    const { store } = await setUp()
    const sessionId = '/'.repeat(500)
    await store.set(sessionId, { creds: CREDS })
    const long = { keys: { session: { a: 1, ['%'.repeat(500)]: 1 } } }
    await expect(store.set(sessionId, long)).rejects.toMatchObject({ code: 'INVALID_KEY' })
    expect(await store.get(sessionId)).toMatchObject({ version: 1, data: { keys: {} } })
  })

  test('of a session whose id is too long is refused before anything is written', async () => {
    const { store, documents } = await setUp()
    const sessionId = '/'.repeat(1000)
    for (const call of [() => store.set(sessionId, { creds: CREDS }), () => store.claim(sessionId)]) {
      await expect(call()).rejects.toMatchObject({ code: 'INVALID_SESSION_ID' })
    }
    expect(await documents.countDocuments()).toBe(0)
  })

  test('that the driver cannot read is damage, not an outage', () => {
    const wrapped = toStoreError(new BSON.BSONError('Invalid UTF-8 string in BSON document'))
    expect(wrapped).toMatchObject({ code: 'CORRUPT_VALUE' })
  })

  test('never appears in an error, nor does its id', async () => {
    const { documents } = await setUp()
    const insert = { insertOne: { document: { _id: '5511999/session/5522888.0', data: 'a secret' } } }
    const secret = /5511999|5522888|a secret/
    const error = await documents.bulkWrite([insert, insert]).catch(failure => failure)
    expect(inspect(error, { depth: 20, showHidden: true })).toMatch(secret)
    const wrapped = toStoreError(error)
    expect(wrapped).toMatchObject({ code: 'STORE_UNAVAILABLE', message: expect.stringContaining('11000') })
    expect(inspect(wrapped, { depth: 20, showHidden: true })).not.toMatch(secret)
  })
})

test('a write leaves alone a lease that another process has meanwhile renewed', async () => {
  const { store, open, documents } = await setUp()
  const owner = await open({ mongoUrl: undefined, mongoClient: server.client })
  const { fencingToken } = await owner.claim('s', { exclusive: true })
  await store.set('s', { creds: CREDS })
  await owner.releaseLease('s', fencingToken)
  await owner.renewLease('s', fencingToken)
  const leaseOf = async () => (await documents.findOne<{ leaseUntil?: Date }>({ _id: 's/' }))?.leaseUntil
  const renewed = await leaseOf()
  await store.set('s', { keys: { session: { a: 1 } } })
  expect(await leaseOf()).toEqual(renewed)
})

test('a deleted field leaves a tombstone for a day, without its value', async () => {
  const { store, documents } = await setUp()
  await store.set('s', { creds: CREDS, keys: { session: { a: 'secret' } } })
  await store.set('s', { keys: { session: { a: null } } })
  const tombstone = await documents.findOne({ _id: 's/session/a' })
  expect(tombstone).toEqual({ _id: 's/session/a', v: 2, gone: true, expiresAt: expect.any(Date) })
  expect(Math.round((tombstone?.expiresAt - Date.now()) / 3_600_000)).toBe(24)
})

describe('intent parts of writers that died before their write', () => {
  const part = (chain: string, daysAgo: number) => ({
    _id: `s//${chain}/0`,
    writes: [{ at: 'session/a', gone: true }],
    createdAt: new Date(Date.now() - daysAgo * 86_400_000),
  })

  async function setUpParts() {
    const context = await setUp()
    const { store, documents } = context
    await store.set('s', { creds: CREDS, keys: { session: { a: 'old' } } })
    await documents.insertMany([part('dead', 2), part('fresh', 0.5)])
    const chains = async () =>
      (await documents.find({ _id: /^s\/\// as never }).toArray()).map(({ _id }) => _id)
    return { ...context, chains }
  }

  test('go with those of the next intent that is carried out', async () => {
    const { store, documents, chains } = await setUpParts()
    await documents.insertOne(part('used', 2))
    const intent = { v: 3, chain: 'used', parts: 1 }
    await documents.updateOne({ _id: 's/' }, { $set: { v: 3, intent } })
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({})
    await store.claim('s')
    expect(await chains()).toEqual(['s//fresh/0'])
    expect(await documents.findOne({ _id: 's/session/a' })).toMatchObject({ v: 3, gone: true })
  })

  test('go with the session', async () => {
    const { store, chains } = await setUpParts()
    await store.purge('s')
    expect(await chains()).toEqual(['s//fresh/0'])
  })
})

test('a write that has lost an intent part is an error for readers and writers', async () => {
  const { store, documents } = await setUp()
  await store.set('s', { creds: CREDS, keys: { session: { a: 'old' } } })
  await documents.updateOne({ _id: 's/' }, { $set: { v: 2, intent: { v: 2, chain: 'lost', parts: 1 } } })
  const corrupt = { code: 'CORRUPT_VALUE' }
  await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject(corrupt)
  await expect(store.set('s', { keys: { session: { a: 'new' } } })).rejects.toMatchObject(corrupt)
})

test('overtaken writes of a stalled process change nothing', async () => {
  const { store, open } = await setUp()
  await store.set('s', { creds: CREDS, keys: { session: { a: 'first' } } })
  const stalled = new MongoClient(server.url)
  onTestFinished(() => stalled.close())
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const { holding, reached } = holdBulks(stalled, held)
  const late = await open({ mongoUrl: undefined, mongoClient: holding })
  const writing = late.set('s', { keys: { session: { a: 'late', b: 'late' } } })
  await reached
  expect(await store.getKeys('s', 'session', ['a', 'b'])).toEqual({ a: 'late', b: 'late' }) // by its intent
  await store.set('s', { keys: { session: { a: 'newer', b: null } } })
  release()
  await writing
  expect(await store.getKeys('s', 'session', ['a', 'b'])).toEqual({ a: 'newer' })
})

test('a write between the answers of two shards is not read in part through their router', async () => {
  const { store, open } = await setUp()
  const write = (n: number) => store.set('s', { creds: { n }, keys: { session: { a: n, b: n } } })
  await write(1)
  let writes = 1
  const mongoClient = asRouter(server.client, async () => {
    if (writes < 4) await write(++writes)
  })
  const reader = await open({ mongoUrl: undefined, mongoClient })
  while (writes < 4) {
    const found = await reader.get('s')
    const { version: n } = found as { version: number }
    expect(found?.data).toEqual({ creds: { n }, keys: { session: { a: n, b: n } } })
    const { a, b } = await reader.getKeys('s', 'session', ['a', 'b'])
    expect(a).toBe(b)
  }
})

/** One that is told that it speaks to a router, whose shards answer one after the other: the head's last. */
function asRouter(client: MongoClient, between: () => Promise<void>): GivenMongoClient {
  return {
    options: client.options,
    connect: () => client.connect(),
    close: () => client.close(),
    db: name => {
      const database = client.db(name)
      return {
        command: async (command: Document) => ({ ...(await database.command(command)), msg: 'isdbgrid' }),
        collection: (...input: [string]) => {
          const documents = database.collection(...input)
          const find = documents.find.bind(documents)
          const findInTwo = (filter: Document, options: object) => ({
            async toArray() {
              const found = await find(filter, options).toArray()
              if (typeof filter._id === 'string') return found
              await between()
              const head = await find({ _id: 's/' as never }).toArray()
              return [...head, ...found.filter(document => String(document._id) !== 's/')]
            },
          })
          return Object.assign(documents, { find: findInTwo })
        },
      }
    },
  }
}

/** A client whose bulks wait for `held`. */
function holdBulks(client: MongoClient, held: Promise<void>) {
  let reach = () => {}
  const reached = new Promise<void>(resolve => {
    reach = resolve
  })
  const holding = {
    options: client.options,
    connect: () => client.connect(),
    close: () => client.close(),
    db: (name?: string) => {
      const database = client.db(name)
      return {
        command: database.command.bind(database),
        collection: (...input: [string]) => {
          const documents = database.collection(...input)
          const send = documents.bulkWrite.bind(documents)
          documents.bulkWrite = async (...bulk) => {
            reach()
            await held
            return send(...bulk)
          }
          return documents
        },
      }
    },
  }
  return { holding, reached }
}
