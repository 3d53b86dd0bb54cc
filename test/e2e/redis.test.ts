import { afterAll, beforeAll } from 'vitest'
import { type RedisClusterServers, startRedisCluster } from '../support/redis/redis-cluster.js'
import { createRedisDatabase, type Servers } from '../support/redis/redis-database.js'
import { KEEPS_ALL, type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { type BaileysDatabase, describeBaileys } from './baileys-suite.js'
import { describeKilledServer } from './killed-server.js'

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

describeKilledServer('Redis', async () => {
  const server = await startRedis({ config: KEEPS_ALL })
  return { server, database: createDatabase({ url: server.url }) }
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
