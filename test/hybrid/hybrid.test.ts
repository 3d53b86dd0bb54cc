import { afterAll, beforeAll, describe } from 'vitest'
import { describeAuthState } from '../conformance/auth-state-suite.js'
import { describeAuthStore } from '../conformance/auth-store-suite.js'
import { describeBackend } from '../conformance/backend-suite.js'
import { createHybridDatabase } from '../support/hybrid/hybrid-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

let redis: RedisServer
let mongo: MongoServer
beforeAll(async () => {
  ;[redis, mongo] = await Promise.all([startRedis({ shared: true }), startMongo({ shared: true })])
}, 240_000)
afterAll(() => Promise.all([redis?.stop(), mongo?.stop()]))

describe.each([
  { name: 'write-through', enableWriteBehind: false },
  { name: 'write-behind', enableWriteBehind: true },
])('$name', ({ name, enableWriteBehind }) => {
  const create = async () =>
    createHybridDatabase({ redis: { url: redis.url }, mongoUrl: mongo.url }, { enableWriteBehind })
  describeBackend(name, create)
  describeAuthStore(name, create)
  describeAuthState(name, create)
})
