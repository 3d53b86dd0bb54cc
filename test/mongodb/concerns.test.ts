import { type Document, MongoClient, type MongoClientOptions } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { alterClient } from '../support/mongodb/altered-client.js'
import { openStore, useServer } from '../support/mongodb/own-collection.js'
import { recordCommands } from '../support/mongodb/record-commands.js'

const CREDS = { registrationId: 7 }
const server = useServer('concerns')
const WRITES = ['insert', 'update', 'delete']

/** The commands of a whole session through a client with these settings. */
async function commandsOf(query: string, options: MongoClientOptions = {}): Promise<Document[]> {
  const mongoUrl = `${server.url}${server.url.includes('?') ? '&' : '?'}${query}`
  const client = new MongoClient(mongoUrl, { ...options, monitorCommands: true })
  onTestFinished(() => client.close())
  const store = await openStore({ mongoClient: client, ...server.place() })
  const events = await recordCommands(client, async () => {
    await store.claim('s')
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    await store.set('s', { keys: { session: { a: 'x'.repeat(1_100_000) } } })
    await store.get('s')
    await store.touch('s', 60)
    await store.list()
    await store.delete('s')
  })
  return events.map(({ command }) => command)
}

describe('the write concern', () => {
  const safest = { w: 'majority', j: true }
  test.each<[string, MongoClientOptions, Document]>([
    ['', {}, safest],
    ['journal=true', {}, safest],
    ['wtimeoutMS=30000', {}, { ...safest, wtimeout: 30_000 }],
    ['journal=false', {}, { ...safest, j: false }],
    ['', { writeConcern: { wtimeoutMS: 30_000 } }, { ...safest, wtimeout: 30_000 }],
    ['', { writeConcern: { journal: true } }, safest],
    ['w=1', {}, { w: 1, j: true }],
    ['w=2&journal=false&wtimeoutMS=30000', {}, { w: 2, j: false, wtimeout: 30_000 }],
  ])('of the URL query "%s" and the options %j is %j in every write', async (query, options, expected) => {
    const commands = await commandsOf(query, options)
    const writes = commands.filter(command => WRITES.some(name => name in command))
    expect(writes.length).toBeGreaterThan(5)
    for (const { writeConcern } of writes) expect(writeConcern).toEqual(expected)
  })
})

test.each(['', 'readConcernLevel=majority', 'readConcernLevel=snapshot', 'readPreference=secondary'])(
  'every find reads the newest state of the primary, with the URL query "%s"',
  async query => {
    const finds = (await commandsOf(query)).filter(command => 'find' in command)
    expect(finds.length).toBeGreaterThan(2)
    for (const { readConcern, $readPreference: preference } of finds) {
      expect(readConcern).toEqual({ level: 'local' })
      expect(preference?.mode ?? 'primary').toMatch(/^primary/)
    }
  },
)

describe('a direct connection', () => {
  const client = () => {
    const direct = new MongoClient(server.url, { directConnection: true })
    onTestFinished(() => direct.close())
    return direct
  }
  const answering = (hello: Document) =>
    alterClient(client(), {
      command: command => (command.hello ? Promise.resolve({ localTime: new Date(), ...hello }) : undefined),
    })
  const setName = 'rs0'

  test('to one of several members of a replica set is refused, primary or not', async () => {
    for (const isWritablePrimary of [true, false]) {
      const mongoClient = answering({ setName, hosts: ['a:1', 'b:1', 'c:1'], isWritablePrimary })
      const store = await openStore({ mongoClient, ...server.place() })
      const refusal = { code: 'INVALID_OPTION', message: expect.stringContaining('replicaSet=rs0') }
      await expect(store.get('s')).rejects.toMatchObject(refusal)
      await expect(store.claim('s')).rejects.toMatchObject(refusal)
    }
  })

  test('to the only member waits until it is the primary', async () => {
    const only = { setName, hosts: ['a:1'] }
    const resilience = { maxRetries: 0 }
    const secondary = answering({ ...only, secondary: true, isWritablePrimary: false })
    const waiting = await openStore({ mongoClient: secondary, ...server.place(), resilience })
    await expect(waiting.get('s')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    const primary = answering({ ...only, isWritablePrimary: true })
    const store = await openStore({ mongoClient: primary, ...server.place() })
    expect(await store.set('s', { creds: CREDS })).toMatchObject({ version: 1 })
  })

  test('to a server outside any replica set is used', async () => {
    const store = await openStore({ mongoClient: client(), ...server.place() })
    expect(await store.set('s', { creds: CREDS })).toMatchObject({ version: 1 })
  })
})
