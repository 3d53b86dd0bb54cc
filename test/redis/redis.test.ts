import { afterAll, beforeAll, describe } from 'vitest'
import { describeAuthState } from '../conformance/auth-state-suite.js'
import { describeAuthStore } from '../conformance/auth-store-suite.js'
import { describeBackend } from '../conformance/backend-suite.js'
import { createRedisDatabase } from '../support/redis/redis-database.js'
import type { Flavour } from '../support/redis/redis-program.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

describe.each<Flavour>(['redis-7', 'redis-8', 'valkey'])('%s', flavour => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ flavour, shared: true })
  }, 120_000)
  afterAll(() => server?.stop())

  const create = async () => createRedisDatabase({ url: server.url })
  describeBackend(flavour, create)
  describeAuthStore(flavour, create)
  describeAuthState(flavour, create)
})
