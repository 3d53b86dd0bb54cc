import type { CommandStartedEvent, Document } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMongoStore, useMongoAuthState } from '../../src/mongodb/index.js'
import { useServer } from '../support/mongodb/own-collection.js'
import { recordCommands, toNames } from '../support/mongodb/record-commands.js'

const server = useServer('cost')
const place = server.place()

const record = (action: () => Promise<unknown>) => recordCommands(server.client, action)
const count = async (action: () => Promise<unknown>) => toNames(await record(action))
const numbered = (length: number) => Array.from({ length }, (_, n) => [`k${n}`, `v${n}`] as const)

describe.each([10, 10_000])('with %i keys in the session', { timeout: 120_000 }, size => {
  async function setUp() {
    const store = await createMongoStore({
      mongoClient: server.client,
      ...place,
      cache: false,
      resilience: { operationTimeout: 60_000 },
    })
    const sessionId = `of-${size}`
    const handle = await useMongoAuthState({ sessionId, store })
    onTestFinished(async () => {
      await handle.close()
      await store.close()
    })
    await handle.state.keys.set({ 'lid-mapping': Object.fromEntries(numbered(size)) })
    return { ...handle, store, sessionId }
  }

  test.each([1, 50, 5000])('keys.get of %i keys is one find', async n => {
    const { state } = await setUp()
    const ids = numbered(n).map(([id]) => id)
    const commands = await count(() => state.keys.get('lid-mapping', ids))
    expect(commands).toEqual(['find'])
  })

  test('get of the whole session is one find, and so is list of a page above 100 sessions', async () => {
    const { store, sessionId } = await setUp()
    expect(await count(() => store.get(sessionId))).toEqual(['find'])
    const heads = Array.from({ length: 150 }, (_, n) => ({ _id: `h${n}/`, session: `h${n}`, v: 1 }))
    const documents = server.documents(place.collection)
    await documents.bulkWrite(
      heads.map(head => ({ replaceOne: { filter: { _id: head._id }, replacement: head, upsert: true } })),
    )
    let listed: string[] = []
    const list = async () => {
      listed = (await store.list({ limit: 140 })).sessionIds
    }
    expect(await count(list)).toEqual(['find'])
    expect(listed).toHaveLength(140)
    await documents.deleteMany({ _id: /^h\d+\/$/ as never })
  })

  test.each([1, 50, 5000])('keys.set of %i keys is two updates: the head, and one bulk', async n => {
    const { state } = await setUp()
    const data = { 'lid-mapping': Object.fromEntries(numbered(n)) }
    expect(await count(() => state.keys.set(data))).toEqual(['update', 'update'])
  })

  test('saveCreds is two updates as well, and one more find and update when another process has written', async () => {
    const { saveCreds, sessionId } = await setUp()
    expect(await count(saveCreds)).toEqual(['update', 'update'])
    const other = await createMongoStore({ mongoUrl: server.url, ...place })
    await other.set(sessionId, { keys: { session: { a: 1 } } })
    await other.close()
    expect(await count(saveCreds)).toEqual(['update', 'find', 'update', 'update'])
  })

  test('all documents of the session are kept as long as the session, and renewed when they would end too early', async () => {
    const { sessionId, store } = await setUp()
    const documents = server.documents(place.collection)
    const head = await documents.findOne({ _id: `${sessionId}/` })
    const endsAt = head?.endsAt as Date
    expect(Math.round((endsAt.getTime() - Date.now()) / 86_400_000)).toBe(30)
    const session = { _id: { $gte: `${sessionId}/0`, $lt: `${sessionId}0` } }
    const early = await documents.countDocuments({ ...session, expiresAt: { $not: { $gt: endsAt } } })
    expect(early).toBe(0)
    const write = () => store.set(sessionId, { keys: { session: { a: 1 } } })
    await documents.updateOne({ _id: `${sessionId}/` }, { $set: { keptUntil: endsAt } })
    expect(await count(write)).toContain('update')
    const renewed = await documents.findOne({ _id: `${sessionId}/` })
    const keptUntil = renewed?.keptUntil as Date
    expect(keptUntil.getTime()).toBeGreaterThan(endsAt.getTime() + 86_400_000)
    const behind = await documents.countDocuments({ ...session, expiresAt: { $lt: keptUntil } })
    expect(behind).toBe(0)
    expect(await count(write)).toHaveLength(2)
  })
})

describe('opening a session', () => {
  async function setUp() {
    const store = await createMongoStore({ mongoClient: server.client, ...place })
    onTestFinished(() => store.close())
    await store.isHealthy()
    const open = async (sessionId: string) => {
      const { close } = await useMongoAuthState({ sessionId, store })
      onTestFinished(close)
    }
    return { store, open }
  }

  test('that exists is two finds of its creds and one update', async () => {
    const { open } = await setUp()
    await open('existing')
    expect(await count(() => open('existing'))).toEqual(['find', 'update', 'find'])
  })

  test('that is new also looks for half a session, for its end and for data of earlier releases, and writes', async () => {
    const { open } = await setUp()
    const commands = await count(() => open('new'))
    expect(commands.filter(name => name !== 'find')).toEqual(['insert', 'update', 'update'])
    expect(commands).toHaveLength(10)
  })
})

test('a deletion without a copy is finds of the highest version and of the head, and three commands to end the session', async () => {
  const options = { mongoClient: server.client, ...place, trash: { keepSeconds: 0 } }
  const store = await createMongoStore(options)
  onTestFinished(() => store.close())
  await store.set('doomed', { creds: { registrationId: 7 } })
  expect(await count(() => store.delete('doomed'))).toEqual(['find', 'find', 'update', 'delete', 'update'])
})

test('concurrent writes share their commands, each with a version of its own', async () => {
  const store = await createMongoStore({
    mongoClient: server.client,
    ...server.place(),
  })
  onTestFinished(() => store.close())
  await store.set('s', { creds: { n: 0 } })
  let versions: number[] = []
  const commands = await count(async () => {
    const ids = Array.from({ length: 16 }, (_, n) => `k${n}`)
    const written = await Promise.all(
      ids.map(id => store.set('s', { keys: { session: { [id]: id, last: id } } })),
    )
    versions = written.map(({ version }) => version)
  })
  expect(versions).toEqual(Array.from({ length: 16 }, (_, n) => n + 2))
  expect(commands.length).toBeLessThanOrEqual(4)
  expect(await store.getKeys('s', 'session', ['k0', 'k15', 'last'])).toEqual({
    k0: 'k0',
    k15: 'k15',
    last: 'k15',
  })
})

test('a thousand sessions share one pool', async () => {
  const stores = await Promise.all(
    Array.from({ length: 1000 }, () => createMongoStore({ mongoUrl: server.url, ...place })),
  )
  for (const [n, store] of stores.entries()) if (n % 100 === 0) await store.exists(`s${n}`)
  const sockets = process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length
  expect(sockets).toBeLessThan(20)
  await Promise.all(stores.map(store => store.close()))
})

describe('every query', () => {
  test('uses an index', async () => {
    const names = server.place()
    const store = await createMongoStore({ mongoClient: server.client, ...names })
    const documents = server.documents(names.collection)
    onTestFinished(() => store.close())
    const keys = { session: Object.fromEntries(numbered(500)) }
    for (let n = 0; n < 40; n++) await store.set(`other-${n}`, { creds: { n }, keys })
    const large = Object.fromEntries(['p', 'q'].map(id => [id, id.repeat(1_000_000)]))
    const commands = await record(async () => {
      await store.exists('none')
      const { fencingToken } = await store.claim('s')
      await store.set('s', { creds: { n: 1 }, keys: { session: { a: 1 } } }, undefined, fencingToken)
      await store.set('s', { keys: { session: { ...large, a: null } } })
      await store.getKeys('s', 'session', ['a', 'b'])
      await store.get('s')
      await store.touch('s', 0)
      await store.listKeys('s', 'session')
      await store.list({ limit: 3 })
      await store.list({ limit: 3, cursor: 'other-1' })
      await store.delete('s')
    })
    const plans = new Map<string, string>()
    for (const { filter, sort, limit } of commands.flatMap(filtersOf)) {
      const query = documents.find(filter)
      if (sort) query.sort(sort)
      if (limit) query.limit(limit)
      plans.set(JSON.stringify(filter), JSON.stringify(await query.explain()))
    }
    expect(plans.size).toBeGreaterThan(15)
    for (const [query, plan] of plans) {
      expect(plan, query).not.toMatch(/COLLSCAN|Seq Scan/)
      expect(plan, query).toMatch(/IXSCAN|IDHACK|EXPRESS|Index (Only )?Scan|Bitmap Index Scan/)
    }
    const list = [...plans].find(([query]) => query.includes('"session"'))
    expect(list?.[1]).toMatch(/session_1/)
    const sweep = await documents.find({ expiresAt: { $lte: new Date() } }).explain()
    expect(JSON.stringify(sweep)).toMatch(/expiresAt_1/)
  })
})

interface Query {
  filter: Document
  sort?: Document
  limit?: number
}

/** The filters of a command as finds: some servers explain nothing else. */
function filtersOf({ command }: CommandStartedEvent): Query[] {
  if (command.find !== undefined) return [command as Query]
  const parts: Document[] = command.updates ?? command.deletes ?? []
  return parts.map(({ q }) => ({ filter: q }))
}
