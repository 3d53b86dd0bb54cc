import { Long, MongoClient, type MongoClientOptions, ReadPreference } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type MongoOptions, useMongoAuthState } from '../../src/mongodb/index.js'
import { identityOf } from '../conformance/auth-state/harness.js'
import { openStore, useServer } from '../support/mongodb/own-collection.js'

const server = useServer('settings')

/** Every option of the driver that changes the bytes written, the values read, or the server that answers. */
const SETTINGS: MongoClientOptions[] = [
  {},
  { ignoreUndefined: true },
  { promoteValues: false },
  { promoteLongs: false },
  { promoteBuffers: false },
  { promoteBuffers: true },
  { useBigInt64: true },
  { bsonRegExp: true },
  { raw: true },
  { fieldsAsRaw: { data: true, intent: true, v: true, cursor: true } },
  { serializeFunctions: true },
  { checkKeys: true },
  { enableUtf8Validation: false },
  { forceServerObjectId: true },
  { pkFactory: { createPk: () => Long.fromNumber(7) } },
  { readPreference: 'secondary' },
  { readPreference: 'secondaryPreferred' },
  { readPreference: new ReadPreference('nearest', [{ dc: 'east' }]) },
  { readConcern: { level: 'majority' } },
  { readConcern: { level: 'available' } },
  { readConcern: { level: 'snapshot' } },
  { readConcernLevel: 'linearizable' },
  { retryWrites: false },
  { retryReads: false },
  { directConnection: true },
  { journal: true },
  { wtimeoutMS: 10_000 },
  { w: 1 },
  { writeConcern: { w: 'majority' } },
  { timeoutMS: 20_000 },
  { compressors: ['zlib'] },
  { maxPoolSize: 1 },
]
/** The same settings in the query of a URL. */
const QUERIES = [
  'ignoreUndefined=true',
  'promoteValues=false',
  'promoteLongs=false',
  'promoteBuffers=false',
  'useBigInt64=true',
  'bsonRegExp=true',
  'raw=true',
  'serializeFunctions=true',
  'enableUtf8Validation=false',
  'forceServerObjectId=true',
  'readPreference=secondary',
  'readPreference=nearest&readPreferenceTags=dc:east',
  'readPreference=secondaryPreferred&maxStalenessSeconds=90',
  'readConcernLevel=majority',
  'readConcernLevel=snapshot',
  'retryWrites=false',
  'retryReads=false',
  'directConnection=true',
  'journal=true',
  'wtimeoutMS=10000',
  'w=1',
  'w=majority',
  'timeoutMS=20000',
  'compressors=zlib',
  'maxPoolSize=1',
]

/** Pairs, writes, reads back here and as another process, deletes, and pairs anew. */
async function expectLife(mongodb: MongoOptions): Promise<void> {
  const reader = await openStore({ mongoClient: server.client, ...placeOf(mongodb) })
  const { state, saveCreds, store, close } = await useMongoAuthState({ sessionId: 's', mongodb })
  const bytes = Buffer.alloc(20, 200)
  const big = Buffer.alloc(1_100_000, 7)
  const { registrationId } = state.creds
  const identity = identityOf(state.creds)
  state.creds.me = { id: 'me', name: 'ü\u{1f600}' }
  await saveCreds()
  await state.keys.set({ session: { a: bytes, b: bytes }, 'sender-key': { big } })
  await state.keys.set({ session: { b: null } })
  expect(await state.keys.get('session', ['a', 'b'])).toEqual({ a: bytes })
  for (const each of [store, reader]) {
    const { creds, keys } = (await each.get('s'))?.data ?? {}
    expect(creds).toMatchObject({ registrationId, me: { name: 'ü\u{1f600}' } })
    expect(keys?.session).toEqual({ a: bytes })
    expect(big.equals(keys?.['sender-key']?.big as Buffer)).toBe(true) // a diff of it would take minutes
  }
  expect(await store.listKeys('s')).toHaveLength(2)
  expect((await store.list()).sessionIds).toEqual(['s'])
  await store.touch('s', 60)
  const { fencingToken } = await store.claim('s')
  expect((await reader.claim('s')).fencingToken).toBeGreaterThan(fencingToken)
  await store.delete('s')
  for (const each of [store, reader]) {
    expect(await each.get('s')).toBeNull()
    expect(await each.exists('s')).toBe(false)
    expect((await each.list()).sessionIds).toEqual([])
  }
  await close()
  const again = await useMongoAuthState({ sessionId: 's', mongodb })
  expect(identityOf(again.state.creds)).not.toBe(identity)
  expect(await again.state.keys.get('session', ['a'])).toEqual({})
  await again.close()
}

const placeOf = ({ database, collection }: MongoOptions) => ({ database, collection })
const name = (options: object) => Object.entries(options).map(([key, value]) => [key, inspectValue(value)])
const inspectValue = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value))

describe.each(SETTINGS.map(options => [name(options).join(' ') || 'none', options] as const))(
  'the setting %s',
  (_, options) => {
    test('of a client changes no answer', async () => {
      const mongoClient = new MongoClient(server.url, options)
      onTestFinished(() => mongoClient.close())
      await expectLife({ mongoClient, ...server.place() })
    })

    test('of mongoOptions changes no answer', async () => {
      await expectLife({ mongoUrl: server.url, mongoOptions: options, ...server.place() })
    })
  },
)

test.each(QUERIES)('the query %s of a URL changes no answer', async query => {
  const mongoUrl = `${server.url}${server.url.includes('?') ? '&' : '?'}${query}`
  await expectLife({ mongoUrl, ...server.place() })
})
