import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ALICE, BOB, greet, jidOf, numbered, sendAll, textsOf } from '../support/conversation.js'
import { type RedisClusterServers, startRedisCluster } from '../support/redis/redis-cluster.js'
import { createRedisDatabase, type Servers } from '../support/redis/redis-database.js'
import { KEEPS_ALL, type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { setScene } from '../support/scene.js'
import { quietLibsignal } from '../support/silence.js'
import { type BaileysDatabase, describeBaileys } from './baileys-suite.js'

const AUTH_MODULE = new URL('../support/redis/redis-auth.ts', import.meta.url).href
const MASTER_KEY = '5e'.repeat(32)

let single: RedisServer
let cluster: RedisClusterServers
beforeAll(async () => {
  single = await startRedis()
  cluster = await startRedisCluster()
}, 120_000)
afterAll(async () => {
  await single?.stop()
  await cluster?.stop()
})

describeBaileys('Redis, encrypted and compressed', async () => createDatabase({ url: single.url }))
describeBaileys('a Redis Cluster, encrypted and compressed', async () =>
  createDatabase({ cluster: cluster.nodes }),
)

describe('Redis, killed and started again under bots that talk', () => {
  const speakAgain = quietLibsignal()
  afterAll(speakAgain)

  test('costs no message, no retry and no pairing', async () => {
    const server = await startRedis({ config: KEEPS_ALL })
    const database = createDatabase({ url: server.url })
    const scene = await setScene(sessionId => database.authOf(sessionId, {}), { claimedPreKeys: 5 })
    onTestFinished(async () => {
      await scene.end()
      await database.remove()
      await server.stop()
    })
    const [alice, bob] = [await scene.start(ALICE), await scene.start(BOB)]
    await greet(alice, bob)
    const texts = numbered('message', 30)
    const sending = sendAll(alice, jidOf(BOB), texts)
    await bob.received('message 3')
    await server.kill()
    await server.restart()
    await sending
    await bob.received('message 30', 20_000)
    await bob.send(jidOf(ALICE), 'all there')
    await alice.received('all there')
    expect(textsOf(bob).slice(-30)).toEqual(texts)
    expect(scene.server.stats).toMatchObject({ pairings: 2, retries: 0 })
    expect([...alice.undecryptable, ...bob.undecryptable]).toEqual([])
  })
})

function createDatabase(servers: Servers): BaileysDatabase {
  const database = createRedisDatabase(servers)
  const options = { masterKey: MASTER_KEY, security: { enableCompression: true } }
  return {
    authOf: (sessionId, given) => ({
      authModule: AUTH_MODULE,
      authOptions: { sessionId, servers, redis: { ...options, prefix: database.prefix }, ...given },
    }),
    openStore: () => database.openStore(options),
    remove: () => database.remove(),
  }
}
