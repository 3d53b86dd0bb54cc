import type { Logger } from '../core/logger.js'
import type { SessionMemory } from '../core/session-memory.js'
import type { MongoBackend } from '../mongodb/mongo-backend.js'
import type { KeyNames } from '../redis/key-names.js'
import { Aligner } from './aligner.js'
import { Breaker } from './breaker.js'
import { HybridBackend } from './hybrid-backend.js'
import { OutboxApplier } from './outbox-applier.js'
import { Publisher } from './publisher.js'
import type { QueueAdapter } from './queue.js'
import { Reconciler } from './reconciler.js'
import type { RedisSide } from './redis-side.js'
import { SessionStates } from './session-state.js'

export interface HybridSettings {
  redis: RedisSide
  mongo: MongoBackend
  names: KeyNames
  memory: SessionMemory
  /** Of one call of the store. */
  timeoutMs: number
  isWriteBehind: boolean
  queue?: QueueAdapter | undefined
  opensDegraded: boolean
  logger: Logger
  /** Instead of the clock. */
  now?: (() => number) | undefined
}

/** A call that finds one of the two silent must have time left for the other. */
const REDIS_SHARE = 0.2
const MONGO_SHARE = 0.4

export function composeHybrid(settings: HybridSettings) {
  const { redis, mongo, names, memory, timeoutMs, isWriteBehind, queue, opensDegraded, logger, now } =
    settings
  const toRedis = new Breaker({
    store: 'Redis',
    timeoutMs: REDIS_SHARE * timeoutMs,
    windowMs: 2000,
    resetMs: 500, // every call goes on by MongoDB meanwhile, and slower
  })
  const toMongo = new Breaker({
    store: 'MongoDB',
    timeoutMs: MONGO_SHARE * timeoutMs,
    windowMs: 10_000,
    resetMs: 30_000,
  })
  const states = new SessionStates()
  const sides = { redis, toRedis, mongo, toMongo, states, logger }
  const applier = new OutboxApplier({ ...sides, hasWorkers: queue !== undefined })
  const aligner = new Aligner({ ...sides, applier })
  const writeBehind = isWriteBehind ? new Publisher(applier, queue, logger) : undefined
  const backend = new HybridBackend({ ...sides, applier, aligner, memory, writeBehind, opensDegraded })
  const reconciler = new Reconciler({ ...sides, applier, names, now })
  return { backend, reconciler, toMongo }
}
