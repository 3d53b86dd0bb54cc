import { afterAll, beforeAll, describe } from 'vitest'
import { describeAuthState } from '../conformance/auth-state-suite.js'
import { describeAuthStore } from '../conformance/auth-store-suite.js'
import { describeBackend } from '../conformance/backend-suite.js'
import { createHybridDatabase } from '../support/hybrid/hybrid-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisClusterServers, startRedisCluster } from '../support/redis/redis-cluster.js'

let redis: RedisClusterServers
let mongo: MongoServer
beforeAll(async () => {
  ;[redis, mongo] = await Promise.all([startRedisCluster(), startMongo({ shared: true })])
}, 240_000)
afterAll(() => Promise.all([redis?.stop(), mongo?.stop()]))

describe.each([
  { name: 'write-through on a Cluster', enableWriteBehind: false },
  { name: 'write-behind on a Cluster', enableWriteBehind: true },
])('$name', ({ name, enableWriteBehind }) => {
  const create = async () =>
    createHybridDatabase({ redis: { cluster: redis.nodes }, mongoUrl: mongo.url }, { enableWriteBehind })
  describeBackend(name, create)
  describeAuthStore(name, create)
  describeAuthState(name, create)
})
