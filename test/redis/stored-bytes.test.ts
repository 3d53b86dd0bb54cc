import { Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { KeyNames } from '../../src/redis/key-names.js'
import { describeStoredBytes } from '../conformance/auth-store/stored-bytes.js'
import { createRedisDatabase } from '../support/redis/redis-database.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { toPlace } from '../support/stored-bytes/elsewhere.js'
import { redisMembers } from '../support/stored-bytes/redis-members.js'

let server: RedisServer
let client: Redis
beforeAll(async () => {
  server = await startRedis({ shared: true })
  client = new Redis(server.url)
}, 120_000)
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

const create = async () => {
  const database = createRedisDatabase({ url: server.url })
  return toPlace(database, redisMembers(client, new KeyNames(database.prefix)))
}
describeStoredBytes('Redis', create, 40)
