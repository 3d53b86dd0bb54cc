import { describe } from 'vitest'
import { nullLogger } from '../../src/core/logger.js'
import { SessionMemory } from '../../src/core/store/session-memory.js'
import { composeHybrid } from '../../src/hybrid/compose.js'
import { MongoConnection } from '../../src/mongodb/connection.js'
import { MongoBackend } from '../../src/mongodb/mongo-backend.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { KeyNames } from '../../src/redis/key-names.js'
import { RedisBackend } from '../../src/redis/redis-backend.js'
import type { BackendOptions } from '../conformance/backend/harness.js'
import { describeBackend } from '../conformance/backend-suite.js'
import { describeDurableBackend } from '../conformance/durable-backend-suite.js'
import { DocumentsMemory } from '../support/stand-ins/documents-memory.js'
import { createMongoStandIn } from '../support/stand-ins/mongo-stand-in.js'
import { RedisMemory } from '../support/stand-ins/redis-memory.js'
import { createRedisStandIn } from '../support/stand-ins/redis-stand-in.js'

const names = new KeyNames('sim', { hasOutbox: true })
const release = async () => {}
const remove = async () => {}

/** The stand-ins of the simulation do what the servers do: the same suite passes on both. */
describe('stand-ins', () => {
  describeBackend('Redis', async () => {
    const memory = new RedisMemory(Date.now)
    return {
      async open({ ttlMs = null, now }: BackendOptions = {}) {
        const connection = new RedisConnection(createRedisStandIn(memory))
        return new RedisBackend({ connection, names: new KeyNames('sim'), ttlMs, now, release })
      },
      remove,
    }
  })

  const createMongo = async () => {
    const memory = new DocumentsMemory()
    return { open: async (options?: BackendOptions) => openMongo(memory, options), remove }
  }
  describeBackend('MongoDB', createMongo)
  describeDurableBackend('MongoDB', createMongo)

  describeBackend('both', async () => {
    const hot = new RedisMemory(Date.now)
    const durable = new DocumentsMemory()
    return {
      async open(options: BackendOptions = {}) {
        const { ttlMs = null, now } = options
        const connection = new RedisConnection(createRedisStandIn(hot))
        const { backend } = composeHybrid({
          redis: { connection, names, ttlMs, maxEntries: 10_000, now, release },
          durable: openMongo(durable, options),
          memory: new SessionMemory(),
          timeoutMs: 5000,
          isWriteBehind: false,
          opensDegraded: false,
          logger: nullLogger,
        })
        return backend
      },
      remove,
    }
  })
})

function openMongo(memory: DocumentsMemory, { ttlMs = null, now }: BackendOptions = {}): MongoBackend {
  const connection = new MongoConnection(createMongoStandIn(memory))
  const collection = connection.collectionOf('sim', 'auth')
  return new MongoBackend({ collection, ttlMs, timeoutMs: 5000, logger: nullLogger, release, now })
}
