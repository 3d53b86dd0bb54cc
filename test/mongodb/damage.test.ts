import { Decimal128, UUID } from 'mongodb'
import { describe, expect, test } from 'vitest'
import { useMongoAuthState } from '../../src/mongodb/index.js'
import { alterClient } from '../support/mongodb/altered-client.js'
import { openStore, useServer } from '../support/mongodb/own-collection.js'
import { sessionsOf } from '../support/sessions-of.js'

const CREDS = { registrationId: 7 }
const server = useServer('damage')
const corrupt = { code: 'CORRUPT_VALUE' }

/** A session of several writes, damaged by `damage`, and a store that remembers nothing of the session. */
async function setUp(damage: (documents: ReturnType<typeof server.documents>) => Promise<unknown>) {
  const place = server.place()
  const documents = server.documents(place.collection)
  const writer = await openStore({ mongoUrl: server.url, ...place })
  await writer.set('s', { creds: CREDS })
  for (let n = 0; n < 5; n++) await writer.set('s', { keys: { session: { [`a${n}`]: { n } } } })
  await writer.set('s2', { creds: CREDS, keys: { session: { a: 1 } } })
  await damage(documents)
  const store = await openStore({ mongoClient: server.client, ...place })
  return { store, documents }
}

const HEAD = 's/'
const CREDS_ID = 's/creds/'
const KEY = 's/session/a3'
const set =
  (_id: string, $set: Record<string, unknown>) => (documents: ReturnType<typeof server.documents>) =>
    documents.updateOne({ _id }, { $set })
const unset = (_id: string, name: string) => (documents: ReturnType<typeof server.documents>) =>
  documents.updateOne({ _id }, { $unset: { [name]: '' } })

describe('a deletion leaves nothing of a session', () => {
  const headless =
    (_id: string, update: object) =>
    async (documents: ReturnType<typeof server.documents>): Promise<void> => {
      await documents.deleteOne({ _id: HEAD })
      await documents.updateOne({ _id }, update)
    }
  test.each<[string, Parameters<typeof setUp>[0]]>([
    ['whose head has no version', unset(HEAD, 'v')],
    ['whose head has null for a version', set(HEAD, { v: null })],
    ['whose head has a text for a version', set(HEAD, { v: 'x' })],
    ['whose head has a version that allows no higher one', set(HEAD, { v: 2 ** 52 })],
    ['whose head has a version beyond the limit', set(HEAD, { v: 8.64e15 })],
    ['whose head has version 0', set(HEAD, { v: 0 })],
    ['whose head has a list of versions', set(HEAD, { v: [2] })],
    ['whose head has a list of operations', set(HEAD, { ops: ['a 1 1'] })],
    ['whose head ends long before its last write', set(HEAD, { endsAt: new Date(0) })],
    ['whose head has a token that callers may not give', set(HEAD, { fence: 2 ** 51 })],
    ['whose head begins after its end', set(HEAD, { since: 9 })],
    ['whose head has a damaged intent', set(HEAD, { intent: 5 })],
    ['whose head has lost a part of a write', set(HEAD, { intent: { v: 6, chain: 'lost', parts: 1 } })],
    ['whose head has a token that allows no higher one', set(HEAD, { fence: 2 ** 52 })],
    ['whose creds have a version that allows no higher one', set(CREDS_ID, { v: 2 ** 52 })],
    ['whose head has lost the name of its session', unset(HEAD, 'session')],
    ['whose head has a list for the name of its session', set(HEAD, { session: ['s'] })],
    ['whose head has a Decimal128 as version', set(HEAD, { v: Decimal128.fromString('3') })],
    ...['v', 'ops'].flatMap((member): [string, ReturnType<typeof set>][] => [
      [`whose head has a UUID as ${member}`, set(HEAD, { [member]: new UUID() })],
      [
        `whose head has an object that looks like an operator as ${member}`,
        set(HEAD, { [member]: { $gt: '' } }),
      ],
    ]),
    ...[CREDS_ID, KEY].flatMap(_id =>
      [8, 16, Decimal128.fromString('8'), Decimal128.fromString('8.5'), Number.NaN, [8], 2 ** 51].map(
        (v): [string, ReturnType<typeof set>] => [`whose field ${_id} has version ${v}`, set(_id, { v })],
      ),
    ),
    ['whose creds have no version', unset(CREDS_ID, 'v')],
    ['whose key has a version beyond the limit', set(KEY, { v: 8.64e15 })],
    ['without a head', headless(KEY, { $set: { n: 1 } })],
    ['without a head, and a key without a version', headless(KEY, { $unset: { v: '' } })],
    ['without a head, and a key with a version beyond the limit', headless(KEY, { $set: { v: 2 ** 52 } })],
    ['with a document between its head and its fields', d => d.insertOne({ _id: 's/!x' } as never)],
  ])('%s', async (_, damage) => {
    const { store, documents } = await setUp(damage)
    await store.delete('s')
    expect(await store.get('s')).toBeNull()
    const left = await documents.find({ _id: { $gt: HEAD, $lt: 's0' } as never }).toArray()
    expect(left.map(({ _id }) => _id)).toEqual([])
    const next = await useMongoAuthState({ sessionId: 's', store })
    await next.state.keys.set({ session: { a3: { n: 'new' } as never } })
    for (let n = 0; n < 8; n++) await next.state.keys.set({ session: { b: { n } as never } })
    expect(await next.state.keys.get('session', ['a1', 'a3', 'a4'])).toEqual({ a3: { n: 'new' } })
    expect((await store.get('s'))?.data.keys).toEqual({ session: { a3: { n: 'new' }, b: { n: 7 } } })
    expect((await store.get('s2'))?.data.keys).toEqual({ session: { a: 1 } })
  })
})

describe('damage is not read as absence', () => {
  test.each<[string, Parameters<typeof setUp>[0]]>([
    ['of a field with the member of an intent part', set(KEY, { writes: [] })],
    ['of a field with version 0', set(KEY, { v: 0 })],
    ['of a deleted field that has a value', set(KEY, { gone: true })],
    ['of a session that begins after its last version', set(HEAD, { since: 9 })],
    ['of a session that ends long before its last write', set(HEAD, { endsAt: new Date(0) })],
    ['of a token that allows no higher one', set(HEAD, { fence: 2 ** 52 })],
    ['of a head that has lost the name of its session', unset(HEAD, 'session')],
  ])('%s', async (_, damage) => {
    const { store } = await setUp(damage)
    await expect(store.getKeys('s', 'session', ['a3'])).rejects.toMatchObject(corrupt)
    await expect(store.get('s')).rejects.toMatchObject(corrupt)
  })
})

test('a head with a list for the name of its session does not hold up the list of the other sessions', async () => {
  const { store } = await setUp(set(HEAD, { session: ['s'] }))
  expect(await store.list()).toEqual({ sessionIds: ['s2'], cursor: null })
  expect(await store.list({ limit: 1 })).toMatchObject({ sessionIds: ['s2'] })
})

test.each(['deleteMany', 'drop'] as const)(
  'a session that is removed (%s) during a write is written again whole',
  async how => {
    const place = server.place()
    const documents = server.documents(place.collection)
    let takesAway = false
    const mongoClient = alterClient(server.client, {
      documents: real => ({
        async bulkWrite(...input: Parameters<typeof real.bulkWrite>) {
          if (takesAway) await (how === 'drop' ? documents.drop() : documents.deleteMany({}))
          takesAway = false
          return real.bulkWrite(...input)
        },
      }),
    })
    const store = await openStore({ mongoClient, ...place })
    const rewinds: unknown[] = []
    store.onRewind(rewind => rewinds.push(rewind))
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    takesAway = true
    await store.set('s', { keys: { session: { b: 2 } } })
    const other = await openStore({ mongoUrl: server.url, ...place })
    expect((await other.get('s'))?.data).toMatchObject({ creds: CREDS, keys: { session: { a: 1, b: 2 } } })
    expect(rewinds).toHaveLength(1)
  },
)

test('a session that was written while the clock was ahead is no damage after a touch by the right one', async () => {
  const { documents } = await setUp(set(HEAD, { updatedAt: new Date(Date.now() + 2 * 86_400_000) }))
  const collection = documents.collectionName
  const store = await openStore({
    mongoClient: server.client,
    ...server.place(),
    collection,
    ttl: { defaultTtl: 3600 },
  })
  await store.touch('s')
  expect((await store.get('s'))?.data.creds).toEqual(CREDS)
  await store.claim('s')
})

test('a lease that ends later than any lease can is damage, and its session can be deleted', async () => {
  const { store } = await setUp(set(HEAD, { leaseUntil: new Date(Date.now() + 7 * 86_400_000) }))
  await expect(store.claim('s')).rejects.toMatchObject(corrupt)
  await store.delete('s')
  expect(await store.claim('s')).toMatchObject({ fencingToken: expect.any(Number) })
})

test.each<[string, Record<string, unknown>]>([
  ['a claim that is no instant', { claimedAt: 'x' }],
  ['an owner that is no text', { owner: 5 }],
  ['an owner with a control character', { owner: 'a\nb' }],
  ['a beginning that is no instant', { createdAt: 5 }],
])('%s is unknown to the catalogue, and harms nothing', async (_, members) => {
  const { store } = await setUp(set(HEAD, members))
  expect(await store.describe('s')).toMatchObject({ version: 6, isPaired: false, owner: null })
  expect((await store.claim('s', { owner: 'worker-2' })).creds).toEqual(CREDS)
  expect((await store.describe('s'))?.owner?.label).toBe('worker-2')
})

test('a damaged session is told from the others in a catalogue', async () => {
  const { store } = await setUp(set(HEAD, { v: 'x' }))
  const found = (await sessionsOf(store)).map(({ sessionId, isDamaged }) => [sessionId, isDamaged])
  expect(found.sort()).toEqual([
    ['s', true],
    ['s2', undefined],
  ])
  await expect(store.describe('s')).rejects.toMatchObject(corrupt)
})
