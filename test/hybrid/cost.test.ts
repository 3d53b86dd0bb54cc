import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createHybridStore, useHybridAuthState } from '../../src/hybrid/index.js'
import { useServer } from '../support/mongodb/own-collection.js'
import { recordCommands, toNames } from '../support/mongodb/record-commands.js'
import { countClients } from '../support/redis/count-clients.js'
import { countCommands } from '../support/redis/count-commands.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

const durable = useServer('hybrid-cost')
let hot: RedisServer
let client: Redis
beforeAll(async () => {
  hot = await startRedis()
  client = new Redis(hot.url)
})
afterAll(async () => {
  client.disconnect()
  await hot.stop()
})

const numbered = (length: number) =>
  Object.fromEntries(Array.from({ length }, (_, n) => [`k${n}`, `v${n}`] as const))

function place() {
  const { database, collection } = durable.place()
  return {
    redisUrl: hot.url,
    mongoClient: durable.client,
    mongoDatabase: database,
    mongoCollection: collection,
    prefix: collection,
  }
}

describe.each([
  { mode: 'write-through', enableWriteBehind: false, size: 10 },
  { mode: 'write-through', enableWriteBehind: false, size: 10_000 },
  { mode: 'write-behind', enableWriteBehind: true, size: 10 },
  { mode: 'write-behind', enableWriteBehind: true, size: 10_000 },
])('$mode, with $size keys in the session', ({ enableWriteBehind, size }) => {
  async function setUp() {
    const where = place()
    const store = await createHybridStore({
      ...where,
      enableWriteBehind,
      cache: false,
      resilience: { operationTimeout: 60_000 }, // 10,000 keys at once, on a busy machine
    })
    const handle = await useHybridAuthState({ sessionId: 's', store })
    onTestFinished(async () => {
      await handle.close()
      await store.close()
    })
    const outbox = `${where.prefix}:outbox:{s}`
    const settled = () => expect.poll(() => client.exists(outbox), { interval: 1, timeout: 20_000 }).toBe(0)
    await handle.state.keys.set({ 'lid-mapping': numbered(size) })
    await settled()
    await handle.saveCreds() // the first call of a script sends its text
    await settled()
    /** Counts the commands to both servers until the outbox is empty. */
    const count = async (action: () => Promise<unknown>) => {
      let redis: Record<string, number> = {}
      const mongodb = await recordCommands(durable.client, async () => {
        const { exists, ...sent } = await countCommands(client, async () => {
          await action()
          await settled()
        })
        redis = sent
      })
      return { redis, mongodb: toNames(mongodb) }
    }
    return { ...handle, count }
  }

  test.each([1, 50])('keys.get of %i keys is one HMGET in Redis, and nothing in MongoDB', async n => {
    const { state, count } = await setUp()
    const ids = Object.keys(numbered(n))
    const counted = await count(() => state.keys.get('lid-mapping', ids))
    expect(counted).toEqual({ redis: { hmget: 1 }, mongodb: [] })
  })

  test.each([1, 50])(
    'keys.set of %i keys is one script in Redis and one that clears the outbox, and two updates in MongoDB',
    async n => {
      const { state, count } = await setUp()
      const counted = await count(() => state.keys.set({ 'lid-mapping': numbered(n) }))
      expect(counted).toEqual({ redis: { evalsha: 2 }, mongodb: ['update', 'update'] })
    },
  )

  test('saveCreds costs the same as keys.set', async () => {
    const { saveCreds, count } = await setUp()
    expect(await count(saveCreds)).toEqual({ redis: { evalsha: 2 }, mongodb: ['update', 'update'] })
  })
})

test('opening a session that both databases have is three scripts and one HKEYS in Redis, and a find and two updates in MongoDB', async () => {
  const store = await createHybridStore(place())
  onTestFinished(() => store.close())
  await (await useHybridAuthState({ sessionId: 's', store })).close()
  let redis: Record<string, number> = {}
  const mongodb = await recordCommands(durable.client, async () => {
    redis = await countCommands(client, async () => {
      const { close } = await useHybridAuthState({ sessionId: 's', store })
      onTestFinished(close)
    })
  })
  expect(redis).toEqual({ evalsha: 3, hkeys: 1 })
  expect(toNames(mongodb)).toEqual(['find', 'update', 'update'])
})

test('concurrent writes share their two updates and the removal', async () => {
  const store = await createHybridStore(place())
  onTestFinished(() => store.close())
  await store.set('s', { creds: { registrationId: 7 } })
  const writes = Array.from({ length: 17 }, (_, n) => ({
    sessionId: 's',
    patch: { keys: { session: { [n]: n } } },
  }))
  const commands = await recordCommands(durable.client, async () => {
    const results = await store.batchSet(writes)
    expect(results.map(result => 'value' in result && result.value.durability)).toEqual(
      Array(17).fill('durable'),
    )
  })
  // The first goes alone, and the others wait for it.
  expect(toNames(commands)).toEqual(['update', 'update', 'update', 'update'])
})

test('a hundred hooks of one process hold one connection to Redis', async () => {
  const { mongoCollection } = place()
  const hybrid = { redisUrl: hot.url, mongoUrl: durable.url, mongoDatabase: 'hybrid-cost', mongoCollection }
  const before = await countClients(client)
  const handles = []
  for (let n = 0; n < 100; n++) handles.push(await useHybridAuthState({ sessionId: `bot-${n}`, hybrid }))
  await Promise.all(handles.map(({ state }) => state.keys.set({ 'lid-mapping': { a: '1' } })))
  expect(await countClients(client)).toBe(before + 1)
  await Promise.all(handles.map(({ close }) => close()))
  await expect.poll(() => countClients(client)).toBe(before)
})
