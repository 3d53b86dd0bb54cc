import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { HybridOptions } from '../../src/hybrid/index.js'
import { ALICE, BOB, greet, jidOf, numbered, sendAll, textsOf } from '../support/conversation.js'
import { createHybridDatabase, type HybridServers } from '../support/hybrid/hybrid-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisClusterServers, startRedisCluster } from '../support/redis/redis-cluster.js'
import { KEEPS_ALL, type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { setScene } from '../support/scene.js'
import { quietLibsignal } from '../support/silence.js'
import { type BaileysDatabase, describeBaileys } from './baileys-suite.js'

const AUTH_MODULE = new URL('../support/hybrid/hybrid-auth.ts', import.meta.url).href
const MASTER_KEY = '5e'.repeat(32)

let single: RedisServer
let cluster: RedisClusterServers
let mongo: MongoServer
beforeAll(async () => {
  single = await startRedis()
  cluster = await startRedisCluster()
  mongo = await startMongo({ shared: true })
}, 240_000)
afterAll(() => Promise.all([single?.stop(), cluster?.stop(), mongo?.stop()]))

describeBaileys('hybrid, write-through', async () => createDatabase(servers()))
describeBaileys('hybrid, write-behind', async () => createDatabase(servers(), { enableWriteBehind: true }))
describeBaileys('hybrid on a Redis Cluster, write-through', async () => createDatabase(onCluster()))
describeBaileys('hybrid on a Redis Cluster, write-behind', async () =>
  createDatabase(onCluster(), { enableWriteBehind: true }),
)

describe.each([
  { name: 'write-through', enableWriteBehind: false },
  { name: 'write-behind', enableWriteBehind: true },
])('hybrid, $name: bots', ({ enableWriteBehind }) => {
  const speakAgain = quietLibsignal()
  afterAll(speakAgain)

  async function setStage() {
    const [redis, durable] = await Promise.all([startRedis({ config: KEEPS_ALL }), startMongo()])
    const database = createDatabase(
      { redis: { url: redis.url }, mongoUrl: durable.url },
      { enableWriteBehind },
    )
    const scene = await setScene(sessionId => database.authOf(sessionId, {}), { claimedPreKeys: 5 })
    onTestFinished(async () => {
      await scene.end()
      await database.remove()
      await Promise.all([redis.stop(), durable.stop()])
    })
    const [alice, bob] = [await scene.start(ALICE), await scene.start(BOB)]
    await greet(alice, bob)
    return { ...scene, redis, durable, alice, bob }
  }

  test('talk through an outage of MongoDB and one of Redis, and every message is decrypted', async () => {
    const { server, start, redis, durable, alice, bob } = await setStage()
    const texts = numbered('message', 60)
    const say = async (from: number, to: number) => {
      await sendAll(alice, jidOf(BOB), texts.slice(from, to))
      await bob.received(texts[to - 1] as string, 20_000)
      await bob.send(jidOf(ALICE), `read up to ${to}`)
      await alice.received(`read up to ${to}`, 20_000)
    }
    await say(0, 10)
    await durable.kill()
    await say(10, 25)
    await durable.restart()
    await say(25, 30)
    await redis.kill()
    await say(30, 45)
    await redis.restart()
    await say(45, 55)
    expect(textsOf(bob).slice(-55)).toEqual(texts.slice(0, 55))
    await Promise.all([alice.stop(), bob.stop()])
    const [aliceAgain, bobAgain] = [await start(ALICE), await start(BOB)]
    await sendAll(aliceAgain, jidOf(BOB), texts.slice(55))
    await bobAgain.received('message 60', 20_000)
    expect(server.stats).toMatchObject({ pairings: 2, retries: 0 })
    expect([alice, bob, aliceAgain, bobAgain].flatMap(bot => bot.undecryptable)).toEqual([])
  }, 120_000)
})

function servers(): HybridServers {
  return { redis: { url: single.url }, mongoUrl: mongo.url }
}

function onCluster(): HybridServers {
  return { redis: { cluster: cluster.nodes }, mongoUrl: mongo.url }
}

function createDatabase(servers: HybridServers, options: HybridOptions = {}): BaileysDatabase {
  const database = createHybridDatabase(servers, options)
  const sealed = { masterKey: MASTER_KEY, security: { enableCompression: true } }
  return {
    authOf: (sessionId, given) => {
      const { options: place } = database.source(sealed).options as { options: object }
      const authOptions = { sessionId, servers: servers.redis, hybrid: place as never, ...given }
      return { authModule: AUTH_MODULE, authOptions }
    },
    openStore: () => database.openStore(sealed),
    remove: () => database.remove(),
  }
}
