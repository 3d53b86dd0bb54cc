import { initAuthCreds } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createRedisStore, useRedisAuthState } from '../../src/redis/index.js'
import { countClients } from '../support/redis/count-clients.js'
import { countCommands } from '../support/redis/count-commands.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

let server: RedisServer
let client: Redis
beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

const count = (action: () => Promise<unknown>) => countCommands(client, action)
const numbered = (length: number) => Array.from({ length }, (_, n) => [`k${n}`, `v${n}`] as const)

describe.each([10, 10_000])('with %i keys in the session', size => {
  async function setUp() {
    const store = await createRedisStore({ redisUrl: server.url, cache: false })
    const sessionId = `of-${size}`
    const handle = await useRedisAuthState({ sessionId, store })
    onTestFinished(async () => {
      await handle.close()
      await store.close()
    })
    await handle.state.keys.set({ 'lid-mapping': Object.fromEntries(numbered(size)) })
    await handle.state.keys.set({ 'lid-mapping': { k0: 'v0' } }) // the first call of a script sends its text
    return { ...handle, store, sessionId }
  }

  test.each([1, 50])('keys.get of %i keys is one HMGET', async n => {
    const { state } = await setUp()
    const ids = numbered(n).map(([id]) => id)
    expect(await count(() => state.keys.get('lid-mapping', ids))).toEqual({ hmget: 1 })
  })

  test.each([1, 50])('keys.set of %i keys is one script', async n => {
    const { state } = await setUp()
    const data = { 'lid-mapping': Object.fromEntries(numbered(n)) }
    expect(await count(() => state.keys.set(data))).toEqual({ evalsha: 1 })
  })

  test('saveCreds, touch and a deletion that cannot be undone are one script each', async () => {
    const { saveCreds, store, sessionId } = await setUp()
    const forgetful = await createRedisStore({ redisUrl: server.url, trash: { keepSeconds: 0 } })
    onTestFinished(() => forgetful.close())
    await store.touch(sessionId) // the first call of a script sends its text
    await forgetful.delete('none')
    expect(await count(saveCreds)).toEqual({ evalsha: 1 })
    expect(await count(() => store.touch(sessionId))).toEqual({ evalsha: 1 })
    expect(await count(() => forgetful.delete(sessionId))).toEqual({ evalsha: 1 })
  })

  test('a deletion is five scripts, and the pages of a large session', async () => {
    const { store, sessionId } = await setUp()
    await store.set('first', { creds: {} })
    await store.delete('first')
    const { evalsha, hscan = 0 } = await count(() => store.delete(sessionId))
    expect(evalsha).toBe(size > 1000 ? 6 : 5)
    expect(hscan > 0).toBe(size > 1000)
  })

  test('both hashes expire together, a day after the session', async () => {
    const { state, sessionId } = await setUp()
    await state.keys.set({ 'lid-mapping': { a: '1' } })
    const lives = await Promise.all(
      ['creds', 'keys'].map(part => client.pexpiretime(`baileys:auth:{${sessionId}}:${part}`)),
    )
    const days = ((lives[0] as number) - Date.now()) / (24 * 60 * 60 * 1000)
    expect(lives[0]).toBe(lives[1])
    expect(Math.round(days)).toBe(31)
  })
})

test('a session that lives for ever has no time to live in Redis until it is touched again', async () => {
  const store = await createRedisStore({ redisUrl: server.url })
  onTestFinished(() => store.close())
  await store.set('eternal', { creds: { registrationId: 1 } })
  const expiries = () =>
    Promise.all(['creds', 'keys'].map(part => client.pexpiretime(`baileys:auth:{eternal}:${part}`)))
  await store.touch('eternal', 0)
  expect(await expiries()).toEqual([-1, -1])
  await store.touch('eternal')
  for (const expiry of await expiries()) expect(expiry).toBeGreaterThan(Date.now())
})

test('100,000 keys are written by one script and read by one', async () => {
  const store = await createRedisStore({ redisUrl: server.url, resilience: { operationTimeout: 120_000 } })
  onTestFinished(() => store.close())
  const keys = Object.fromEntries(numbered(100_000))
  await store.set('huge', { creds: { registrationId: 1 }, keys: { 'lid-mapping': {} } })
  await store.set('huge', { keys: { 'lid-mapping': keys } }) // the first call of a script sends its text
  await store.getKeys('huge', 'lid-mapping', Object.keys(keys))
  expect(await count(() => store.set('huge', { keys: { 'lid-mapping': keys } }))).toEqual({ evalsha: 1 })
  expect(await count(() => store.getKeys('huge', 'lid-mapping', Object.keys(keys)))).toEqual({ evalsha: 1 })
  expect(await store.getKeys('huge', 'lid-mapping', Object.keys(keys))).toEqual(keys)
  expect((await store.get('huge'))?.data.keys['lid-mapping']).toEqual(keys)
}, 240_000)

test('1,000 sessions of one process hold one connection', async () => {
  const before = await countClients(client)
  const redis = { redisUrl: server.url, ttl: { defaultTtl: 3600 } }
  const creds = initAuthCreds() // a thousand pairings would take the processor, not Redis
  const store = await createRedisStore(redis)
  await store.batchSet(Array.from({ length: 1000 }, (_, n) => ({ sessionId: `bot-${n}`, patch: { creds } })))
  await store.close()
  const handles = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => useRedisAuthState({ sessionId: `bot-${n}`, redis })),
  )
  await Promise.all(handles.map(({ state }) => state.keys.set({ 'lid-mapping': { a: '1' } })))
  expect(await countClients(client)).toBe(before + 1)
  await Promise.all(handles.map(({ close }) => close()))
  await expect.poll(() => countClients(client)).toBe(before)
})

test('a session of 5,000 keys is read whole, in pages, while it is being written', async () => {
  const store = await createRedisStore({ redisUrl: server.url })
  onTestFinished(() => store.close())
  const all = (n: number) => Object.fromEntries(numbered(5000).map(([id]) => [id, n]))
  await store.set('large', { creds: { registrationId: 1 }, keys: { session: all(0) } })
  expect(await count(() => store.get('large'))).toMatchObject({ hscan: expect.any(Number) })
  const writing = Promise.all([1, 2, 3, 4, 5].map(n => store.set('large', { keys: { session: all(n) } })))
  for (let reads = 0; reads < 5; reads++) {
    const values = Object.values((await store.get('large'))?.data.keys.session ?? {})
    expect(values).toHaveLength(5000)
    expect(new Set(values).size).toBe(1)
  }
  await writing
})

test('a write between two pages of a read makes the read begin again', async () => {
  const redis = new Redis(server.url)
  const [reader, writer] = [
    await createRedisStore({ redis }),
    await createRedisStore({ redisUrl: server.url }),
  ]
  onTestFinished(async () => {
    await Promise.all([reader.close(), writer.close()])
    redis.disconnect()
  })
  const all = (n: number) => ({
    keys: { session: Object.fromEntries(numbered(5000).map(([id]) => [id, n])) },
  })
  await writer.set('spoilt', { creds: { registrationId: 1 }, ...all(0) })
  const readPage = redis.hscanBuffer.bind(redis) as (...input: unknown[]) => Promise<unknown>
  let pages = 0
  Object.assign(redis, {
    async hscanBuffer(...input: unknown[]) {
      const page = await readPage(...input)
      if (pages++ === 0) await writer.set('spoilt', all(1))
      return page
    },
  })
  const values = Object.values((await reader.get('spoilt'))?.data.keys.session ?? {})
  expect(values).toHaveLength(5000)
  expect(new Set(values)).toEqual(new Set([1]))
})
