import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { createRedisStore, type RedisOptions, useRedisAuthState } from '../../src/redis/index.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { expectCallsToEnd, writeInTime } from '../support/frozen-server.js'
import { KEEPS_ALL, type RedisServerOptions, startRedis } from '../support/redis/redis-server.js'

const CREDS = { registrationId: 7 }

async function setUp(serverOptions?: RedisServerOptions, options?: RedisOptions) {
  const server = await startRedis(serverOptions)
  const store = await createRedisStore({ redisUrl: server.url, ...options })
  const client = new Redis(server.url)
  client.on('error', () => {})
  onTestFinished(async () => {
    server.thaw()
    client.disconnect()
    await store.close()
    await server.stop()
  })
  return { server, store, client }
}

/** A store that reaches the server through a proxy. */
async function setUpProxy(serverPort: number) {
  const proxy = await startFaultProxy(serverPort)
  const store = await createRedisStore({ redisUrl: `redis://127.0.0.1:${proxy.port}` })
  onTestFinished(async () => {
    await store.close()
    await proxy.close()
  })
  return { proxy, store }
}

test('kill -9 of the server in the middle of writes loses nothing acknowledged, and writing goes on', async () => {
  const { server, store } = await setUp({ config: KEEPS_ALL }, { resilience: { maxRetries: 20 } })
  await store.set('s', { creds: CREDS })
  const acknowledged = new Map<string, number>()
  let isOver = false
  let failures = 0
  const writers = Array.from({ length: 10 }, async (_, writer) => {
    for (let n = 1; !isOver; n++) {
      const id = `w${writer}`
      await store.set('s', { keys: { session: { [id]: n } } }).then(
        () => acknowledged.set(id, n),
        () => failures++,
      )
    }
  })
  for (let kills = 0; kills < 3; kills++) {
    await sleep(150)
    await server.kill()
    const before = new Map(acknowledged)
    await sleep(50)
    await server.restart()
    const found = await store.getKeys('s', 'session', [...before.keys()])
    for (const [id, n] of before) expect(found[id]).toBeGreaterThanOrEqual(n)
  }
  isOver = true
  await Promise.all(writers)
  expect(failures).toBe(0)
  expect(acknowledged.size).toBe(10)
  expect(await store.getKeys('s', 'session', [...acknowledged.keys()])).toEqual(
    Object.fromEntries(acknowledged),
  )
})

test('an auth state goes on after a restart of the server, without another opening', async () => {
  const { server, store } = await setUp({ config: KEEPS_ALL })
  const { state, saveCreds, close } = await useRedisAuthState({ sessionId: 's', store })
  await state.keys.set({ 'lid-mapping': { a: '1' } })
  await server.kill()
  await server.restart()
  expect(await state.keys.get('lid-mapping', ['a'])).toEqual({ a: '1' })
  state.creds.nextPreKeyId = 99
  await saveCreds()
  expect((await store.get('s'))?.data.creds).toMatchObject({ nextPreKeyId: 99 })
  await close()
})

test('a call waits for a server that is still loading its data', async () => {
  const slow = ['--key-load-delay', '5000', '--loading-process-events-interval-bytes', '1024']
  const { server, store, client } = await setUp({ config: ['--save', '3600 1000000', ...slow] })
  await store.set('s', { creds: CREDS })
  await client.mset(
    Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`other-${n}`, 'x'.repeat(1024)])),
  )
  await client.save()
  await server.kill()
  await server.restart()
  const probe = new Redis(server.url, { enableReadyCheck: false })
  await expect(probe.get('other-0')).rejects.toThrow('LOADING')
  expect(await store.get('s')).toMatchObject({ version: 1, data: { creds: CREDS } })
  probe.disconnect()
})

test('a write whose connection is lost after the server ran the script is applied once', async () => {
  const { server, store: direct } = await setUp()
  const { proxy, store } = await setUpProxy(server.port)
  await store.set('s', { creds: CREDS })
  await store.set('s', { keys: { session: { a: 0 } } })
  for (const n of [1, 2, 3]) {
    proxy.loseNextAnswer()
    expect(await store.set('s', { keys: { session: { a: n } } })).toMatchObject({ version: n + 2 })
  }
  const { fencingToken } = await store.claim('s')
  proxy.loseNextAnswer()
  await store.delete('s', 5, fencingToken)
  expect(await direct.get('s')).toBeNull()
  expect(proxy.connections).toBe(5)
})

test('writes whose answers were lost together are each applied once', async () => {
  const { server } = await setUp()
  const { proxy, store } = await setUpProxy(server.port)
  await store.set('s', { creds: CREDS })
  proxy.loseNextAnswer()
  const ids = Array.from({ length: 16 }, (_, n) => `k${n}`)
  const written = await Promise.all(ids.map(id => store.set('s', { keys: { session: { [id]: id } } })))
  expect(new Set(written.map(({ version }) => version)).size).toBe(16)
  expect((await store.get('s'))?.version).toBe(17)
})

test('SCRIPT FLUSH fails no call', async () => {
  const { store, client } = await setUp()
  await store.set('s', { creds: CREDS })
  await client.script('FLUSH')
  expect(await store.set('s', { keys: { session: { a: 1 } } })).toMatchObject({ version: 2 })
  await client.script('FLUSH')
  expect(await store.get('s')).toMatchObject({ version: 2 })
})

test('a server that stops answering ends every call by its deadline, and never with "absent"', async () => {
  const { server, store } = await setUp({}, { resilience: { operationTimeout: 400 } })
  await writeInTime(store, { creds: CREDS, keys: { session: { a: 1 } } })
  await server.freeze()
  await expectCallsToEnd(store, () => useRedisAuthState({ sessionId: 's', store }))
  server.thaw()
  await expect.poll(() => store.getKeys('s', 'session', ['a']).catch(() => 'away')).toHaveProperty('a')
})

test('a server that is away is STORE_UNAVAILABLE, and its sessions are not taken for new', async () => {
  const { server, store } = await setUp()
  await store.set('s', { creds: CREDS })
  await server.kill()
  await expect(store.get('s')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', store: 'Redis' })
  await expect(useRedisAuthState({ sessionId: 's', redis: { redisUrl: server.url } })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  })
  expect(await store.isHealthy()).toBe(false)
})

test('a replica refuses writes, which go on when it is a master again', async () => {
  const { store, client } = await setUp({}, { resilience: { maxRetries: 1, retryBaseDelay: 10 } })
  await store.set('s', { creds: CREDS })
  await client.call('REPLICAOF', '127.0.0.1', '1')
  await client.call('CONFIG', 'SET', 'replica-serve-stale-data', 'yes')
  const refused = store.set('s', { keys: { session: { a: 1 } } })
  await expect(refused).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(refused).rejects.toThrow('replica')
  await client.call('REPLICAOF', 'NO', 'ONE')
  expect(await store.set('s', { keys: { session: { a: 2 } } })).toMatchObject({ version: 2 })
})

test('a server out of memory refuses a write whole, and the error gives the reason', async () => {
  const { store, client } = await setUp({}, { resilience: { maxRetries: 0 } })
  await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
  await client.config('SET', 'maxmemory', '1mb')
  const refused = store.set('s', { keys: { session: { a: 2, b: 'x'.repeat(100_000) } } })
  await expect(refused).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(refused).rejects.toThrow('out of memory')
  const error = await refused.catch((failure: Error) => failure)
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('xxxxxxxx')
  expect(await store.getKeys('s', 'session', ['a', 'b'])).toEqual({ a: 1 })
  await client.config('SET', 'maxmemory', '0')
  expect(await store.set('s', { keys: { session: { a: 3 } } })).toMatchObject({ version: 2 })
})

test("a call waits for a server that is busy with another client's script", async () => {
  // By default three waits of any length, which may be over before the script is.
  const resilience = { operationTimeout: 20_000, maxRetries: 1000, retryBaseDelay: 50, retryMultiplier: 1 }
  const { store, client } = await setUp(
    { config: ['--busy-reply-threshold', '20', '--save', ''] },
    { resilience },
  )
  await store.set('s', { creds: CREDS })
  const other = client.duplicate()
  await other.ping()
  const loop = client.eval('while true do end', 0).catch((error: Error) => error)
  await sleep(100)
  setTimeout(() => other.script('KILL'), 100)
  expect(await store.set('s', { keys: { session: { a: 1 } } })).toMatchObject({ version: 2 })
  await loop
  other.disconnect()
})

test.each(['creds', 'keys'])('half a session is an error when the hash of its %s is gone', async part => {
  const { store, client } = await setUp()
  await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
  await client.del(`baileys:auth:{s}:${part}`)
  const incomplete = { code: 'SESSION_INCOMPLETE' }
  await expect(store.get('s')).rejects.toMatchObject(incomplete)
  await expect(store.claim('s')).rejects.toMatchObject(incomplete)
  await expect(store.set('s', { keys: { session: { b: 1 } } })).rejects.toMatchObject(incomplete)
  await expect(useRedisAuthState({ sessionId: 's', store })).rejects.toMatchObject(incomplete)
  if (part === 'keys') await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject(incomplete)
  await store.delete('s')
  expect(await store.get('s')).toBeNull()
})

test('FLUSHALL under a bot is noticed at the next call that asks Redis, and the writes that the process holds are written again', async () => {
  const { store, client } = await setUp()
  const rewinds: unknown[] = []
  const { state, saveCreds, close } = await useRedisAuthState({
    sessionId: 's',
    store,
    onRewind: rewind => rewinds.push(rewind),
  })
  await state.keys.set({ 'lid-mapping': { a: '1', b: '2' } })
  await client.flushall()
  expect(await state.keys.get('lid-mapping', ['a', 'b'])).toEqual({ a: '1', b: '2' })
  expect(rewinds).toEqual([]) // its owner had both in memory
  expect(await state.keys.get('lid-mapping', ['a', 'b', 'c'])).toEqual({ a: '1', b: '2' })
  expect(rewinds).toMatchObject([{ seenVersion: 2, foundVersion: 0 }])
  await saveCreds()
  expect((await store.get('s'))?.data.creds).toMatchObject({ registrationId: state.creds.registrationId })
  await close()
})

test('an owner from before a FLUSHALL is fenced by the next owner, though Redis has forgotten the first', async () => {
  const { client } = await setUp()
  const openElsewhere = async () => {
    const redis = client.duplicate()
    const store = await createRedisStore({ redis }) // a client of its own: nothing is known to both
    onTestFinished(async () => {
      await store.close()
      redis.disconnect()
    })
    return store
  }
  const [before, after] = [await openElsewhere(), await openElsewhere()]
  const old = await before.claim('s')
  await before.set('s', { creds: CREDS }, undefined, old.fencingToken)
  await client.flushall()
  const present = await after.claim('s')
  await after.set('s', { creds: CREDS }, undefined, present.fencingToken)
  const late = before.set('s', { keys: { session: { a: 1 } } }, undefined, old.fencingToken)
  await expect(late).rejects.toMatchObject({ code: 'FENCED', current: present.fencingToken })
})
