import { afterAll, beforeAll } from 'vitest'
import { describeAuthState } from '../conformance/auth-state-suite.js'
import { describeAuthStore } from '../conformance/auth-store-suite.js'
import { describeBackend } from '../conformance/backend-suite.js'
import { type RedisClusterServers, startRedisCluster } from '../support/redis/redis-cluster.js'
import { createRedisDatabase } from '../support/redis/redis-database.js'

let servers: RedisClusterServers
beforeAll(async () => {
  servers = await startRedisCluster()
}, 120_000)
afterAll(() => servers?.stop())

const create = async () => createRedisDatabase({ cluster: servers.nodes })
describeBackend('a Redis Cluster', create)
describeAuthStore('a Redis Cluster', create)
describeAuthState('a Redis Cluster', create)
