import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMongoStore, type MongoOptions, useMongoAuthState } from '../../src/mongodb/index.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { expectCallsToEnd, writeInTime } from '../support/frozen-server.js'
import { createMongoDatabase } from '../support/mongodb/mongodb-database.js'
import { type MongoServerOptions, startMongo } from '../support/mongodb/mongodb-server.js'
import { writeKeysElsewhere } from '../support/store-child.js'

const CREDS = { registrationId: 7 }

async function setUp(serverOptions?: MongoServerOptions, options?: MongoOptions) {
  const server = await startMongo(serverOptions)
  const store = await createMongoStore({ mongoUrl: server.url, ...options })
  onTestFinished(async () => {
    server.thaw()
    await store.close()
    await server.stop()
  })
  return { server, store }
}

test('kill -9 of the server in the middle of writes loses nothing acknowledged, and writing goes on', async () => {
  const resilience = { maxRetries: 50, operationTimeout: 30_000 }
  const { server, store } = await setUp({}, { resilience })
  const sessions = ['s', 't']
  for (const sessionId of sessions) await store.set(sessionId, { creds: CREDS })
  const acknowledged = new Map<string, number>()
  const failures: unknown[] = []
  let isOver = false
  const writers = Array.from({ length: 10 }, async (_, writer) => {
    const sessionId = sessions[writer % 2] as string
    for (let n = 1; !isOver; n++) {
      const session = { [`w${writer}`]: n, [`twin${writer}`]: n }
      await store.set(sessionId, { keys: { session } }).then(
        () => acknowledged.set(`w${writer}`, n),
        error => failures.push(error),
      )
    }
  })
  for (let kills = 0; kills < 3; kills++) {
    await sleep(300)
    await server.kill()
    const before = new Map(acknowledged)
    await sleep(50)
    await server.restart()
    const found = Object.assign(
      {},
      ...(await Promise.all(sessions.map(async s => (await store.get(s))?.data.keys.session))),
    ) as Record<string, number>
    for (const [id, n] of before) {
      expect(found[id]).toBeGreaterThanOrEqual(n)
      expect(found[id.replace('w', 'twin')]).toBe(found[id])
    }
  }
  isOver = true
  await Promise.all(writers)
  expect(failures).toEqual([])
  expect(acknowledged.size).toBe(10)
}, 120_000)

test('an auth state goes on after a restart of the server, without another opening', async () => {
  const { server, store } = await setUp({}, { resilience: { operationTimeout: 20_000 } })
  const { state, saveCreds, close } = await useMongoAuthState({ sessionId: 's', store })
  await state.keys.set({ 'lid-mapping': { a: '1' } })
  await server.kill()
  await server.restart()
  expect(await state.keys.get('lid-mapping', ['a'])).toEqual({ a: '1' })
  state.creds.nextPreKeyId = 99
  await saveCreds()
  expect((await store.get('s'))?.data.creds).toMatchObject({ nextPreKeyId: 99 })
  await close()
})

describe.each(['a pool of its own', 'a given client'])('through %s', kind => {
  test('a server that stops answering ends every call by its deadline, and never with "absent"', async () => {
    const { server } = await setUp()
    const client = new MongoClient(server.url)
    onTestFinished(() => client.close())
    const connection = kind === 'a given client' ? { mongoClient: client } : { mongoUrl: server.url }
    const store = await createMongoStore({ ...connection, resilience: { operationTimeout: 400 } })
    onTestFinished(() => store.close())
    await writeInTime(store, { creds: CREDS, keys: { session: { a: 1 } } })
    await server.freeze()
    await expectCallsToEnd(store, () => useMongoAuthState({ sessionId: 's', store }))
    server.thaw()
    await expect.poll(() => store.getKeys('s', 'session', ['a']).catch(() => 'away')).toHaveProperty('a')
    await expect
      .poll(() => store.set('s', { keys: { session: { b: 2 } } }).catch(() => ({})))
      .toHaveProperty('version')
  })
})

test('a server that is away is STORE_UNAVAILABLE, and its sessions are not taken for new', async () => {
  const { server, store } = await setUp({}, { resilience: { operationTimeout: 1000 } })
  await store.set('s', { creds: CREDS })
  await server.kill()
  const away = { code: expect.stringMatching('STORE_UNAVAILABLE|TIMEOUT') }
  await expect(store.get('s')).rejects.toMatchObject(away)
  await expect(useMongoAuthState({ sessionId: 's', store })).rejects.toMatchObject(away)
  expect(await store.isHealthy()).toBe(false)
})

test('a store that was opened while the server was away works once the server is back', async () => {
  const { server } = await setUp()
  await server.kill()
  const store = await createMongoStore({ mongoUrl: server.url, resilience: { operationTimeout: 3000 } })
  onTestFinished(() => store.close())
  await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject({
    code: expect.stringMatching('STORE_UNAVAILABLE|TIMEOUT'),
  })
  await server.restart()
  await expect
    .poll(() => store.set('s', { creds: CREDS }).catch(() => ({})), { timeout: 20_000 })
    .toHaveProperty('version')
})

test('a write whose connection is lost after the server has answered is applied once', async () => {
  const { server, store: direct } = await setUp()
  const proxy = await startFaultProxy(server.port)
  const store = await createMongoStore({
    mongoUrl: `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`,
  })
  onTestFinished(async () => {
    await store.close()
    await proxy.close()
  })
  await store.set('s', { creds: CREDS })
  for (const n of [1, 2, 3]) {
    proxy.loseNextAnswer()
    expect(await store.set('s', { keys: { session: { a: n } } })).toMatchObject({ version: n + 1 })
  }
  const { fencingToken } = await store.claim('s')
  proxy.loseNextAnswer()
  await store.delete('s', 4, fencingToken)
  expect(await direct.get('s')).toBeNull()
})

test('eight processes that write to one session lose nothing, and no version is taken twice', async () => {
  const { server, store } = await setUp()
  const database = createMongoDatabase(server.url)
  onTestFinished(() => database.remove())
  const own = await database.openStore({})
  onTestFinished(() => own.close())
  await own.set('s', { creds: CREDS })
  const source = database.source({ resilience: { operationTimeout: 30_000 } })
  const versions = await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      writeKeysElsewhere(source, { kind: 'keys', sessionId: 's', prefix: `p${n}-`, count: 25 }),
    ),
  )
  expect(versions.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n + 2))
  expect(await own.listKeys('s')).toHaveLength(200)
  expect(await store.isHealthy()).toBe(true)
}, 120_000)
