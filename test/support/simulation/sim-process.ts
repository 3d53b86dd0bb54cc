import type { AuthStore } from '../../../src/core/auth-store.js'
import { createCodec } from '../../../src/core/codec/codec.js'
import { nullLogger } from '../../../src/core/logger.js'
import { CodecStore } from '../../../src/core/store/codec-store.js'
import { SessionMemory } from '../../../src/core/store/session-memory.js'
import { composeHybrid } from '../../../src/hybrid/compose.js'
import type { Reconciler } from '../../../src/hybrid/reconciler.js'
import { MongoConnection } from '../../../src/mongodb/connection.js'
import { MongoBackend } from '../../../src/mongodb/mongo-backend.js'
import { RedisConnection } from '../../../src/redis/connection.js'
import { KeyNames } from '../../../src/redis/key-names.js'
import { createMongoStandIn } from '../stand-ins/mongo-stand-in.js'
import { createRedisStandIn } from '../stand-ins/redis-stand-in.js'
import type { Caller, World } from './world.js'

export interface Mode {
  isWriteBehind: boolean
  opensDegraded: boolean
  /** Owners may read from memory. */
  hasCache: boolean
  /** Deletions can be undone. */
  restores?: boolean
  /** Default 30 days, which no schedule lasts. */
  ttlMs?: number
}

export interface SimProcess extends Caller {
  readonly store: AuthStore
  readonly reconciler: Reconciler
}

const LONG_MS = 30 * 24 * 60 * 60 * 1000
const TIMEOUT_MS = 5000
/** Of exclusive openings. */
export const LEASE_MS = 5000
const CACHE_BYTES = 1024 * 1024
/** The one that all processes work on. */
export const SESSION = 's'
export const names = new KeyNames('sim', { hasOutbox: true })
const codec = await createCodec({
  cipher: 'none',
  compression: 'none',
  keyring: null,
  rotationMs: null,
  allowPlaintext: false,
  now: Date.now,
})
const release = async () => {}

/** The real store, in a process whose every step the world decides on. */
export function startProcess(world: World, name: string, { ttlMs = LONG_MS, ...mode }: Mode): SimProcess {
  const caller: Caller = { name, condition: 'running' }
  const redisClient = createRedisStandIn(world.redis, (what, execute) =>
    world.send(caller, 'redis', what, execute),
  )
  const mongoClient = createMongoStandIn(world.mongo, {
    deliver: (what, execute) => world.send(caller, 'mongo', what, execute),
    now: () => world.now('mongo'),
  })
  const memory = new SessionMemory()
  const logger = nullLogger
  const { backend, reconciler } = composeHybrid({
    redis: {
      connection: new RedisConnection(redisClient),
      names,
      ttlMs,
      maxEntries: 10_000,
      release,
    },
    durable: new MongoBackend({
      collection: new MongoConnection(mongoClient).collectionOf('sim', 'auth'),
      ttlMs,
      timeoutMs: TIMEOUT_MS,
      logger,
      release,
    }),
    memory,
    timeoutMs: TIMEOUT_MS,
    logger,
    ...mode,
  })
  const retry = { timeoutMs: TIMEOUT_MS, maxRetries: 3, baseDelayMs: 100, multiplier: 2 }
  const cacheBytes = mode.hasCache ? CACHE_BYTES : null
  const keepMs = mode.restores ? LONG_MS : 0
  const parts = {
    backend,
    codec,
    retry,
    ttlMs,
    keepMs,
    leaseMs: LEASE_MS,
    logger,
    memory,
    cacheBytes,
  }
  return Object.assign(caller, { store: new CodecStore(parts), reconciler })
}
