import type { DurableBackend } from '../core/durable-backend.js'
import type { StoreUnavailableError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { type Metrics, NO_METRICS } from '../core/metrics.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import { Aligner } from './aligner.js'
import { Breaker } from './breaker/breaker.js'
import { DurableSide } from './durable-side.js'
import { Forks } from './forks.js'
import { HybridBackend } from './hybrid-backend.js'
import { HybridDeleter } from './hybrid-deleter.js'
import { HybridReader } from './hybrid-reader.js'
import { HybridWriter } from './hybrid-writer.js'
import { Lanes } from './lanes.js'
import { OutboxRelay } from './outbox-relay.js'
import { Parking } from './parking.js'
import { Publisher } from './publisher.js'
import type { QueueAdapter } from './queue.js'
import { Reconciler } from './reconciler.js'
import { RedisSide, type RedisSideOptions } from './redis-side.js'
import { Repairs } from './repairs.js'
import { Sessions } from './session/sessions.js'
import { SessionOpener } from './session-opener.js'

export interface HybridSettings {
  redis: Omit<RedisSideOptions, 'breaker' | 'seen'>
  durable: DurableBackend
  memory: SessionMemory
  /** The deadline of one call of the store. */
  timeoutMs: number
  isWriteBehind: boolean
  queue?: QueueAdapter | undefined
  opensDegraded: boolean
  logger: Logger
  metrics?: Metrics | undefined
  /** How long a count of all outboxes stays valid. */
  metricsIntervalMs?: number | undefined
}

/** Shares of a call's deadline: if one database stays silent, the other one still has time to answer. */
const REDIS_SHARE = 0.2
const MONGO_SHARE = 0.4
/** ioredis' states while it looks for a server, for the first time or after it has lost one. */
const CONNECTING: ReadonlySet<string> = new Set(['close', 'reconnecting', 'connecting', 'connect'])
const DEFAULT_METRICS_INTERVAL_MS = 60_000

export function composeHybrid(settings: HybridSettings) {
  const { memory, timeoutMs, isWriteBehind, queue, opensDegraded, logger, metrics = NO_METRICS } = settings
  const sessions = new Sessions()
  /** Tells each loss and return of a database once. `meanwhile`: what goes on, unless both are away. */
  const tell =
    (store: string, other: () => Breaker, meanwhile: string) =>
    (outage: StoreUnavailableError | undefined) => {
      const waiting = sessions.countBacklog()
      if (outage === undefined) return logger.info({ store, waiting }, `${store} is back.`)
      const effect = other().isClosed ? meanwhile : 'both databases are, and calls fail until one is back'
      logger.warn({ store, waiting, error: outage.message }, `${store} is away: ${effect}.`)
    }
  const toRedis = new Breaker({
    store: 'Redis',
    layer: 'redis',
    openGauge: 'redis_breakers_open',
    metrics,
    timeoutMs: REDIS_SHARE * timeoutMs,
    windowMs: 2000,
    resetMs: 500, // MongoDB answers meanwhile, more slowly
    isConnecting: () => CONNECTING.has(settings.redis.connection.status),
    link: settings.redis.connection.link,
    onOutage: tell('Redis', () => breaker, 'MongoDB answers meanwhile'),
  })
  const breaker: Breaker = new Breaker({
    store: 'MongoDB',
    layer: 'mongodb',
    openGauge: 'mongo_breakers_open',
    metrics,
    timeoutMs: MONGO_SHARE * timeoutMs,
    windowMs: 10_000,
    resetMs: 30_000,
    isLastResort: () => !toRedis.isClosed,
    link: settings.durable.link,
    onOutage: tell('MongoDB', () => toRedis, 'writes wait for it in the outbox, and reads come from Redis'),
  })
  const { names, now } = settings.redis
  const redis = new RedisSide({ ...settings.redis, breaker: toRedis, seen: memory.hotVersions, logger })
  const sides = {
    redis,
    outbox: redis.outbox,
    durable: new DurableSide(settings.durable, breaker),
    sessions,
    memory,
    logger,
    metrics,
    timeoutMs,
  }
  breaker.onChange('open', () => metrics.count('circuit_breaker_open'))
  breaker.onChange('close', () => metrics.count('circuit_breaker_close'))
  breaker.onChange('halfOpen', () => metrics.count('circuit_breaker_halfopen'))
  const parking = new Parking(sides)
  const forks = new Forks(sides)
  const relay = new OutboxRelay({ ...sides, forks, parking, hasWorkers: queue !== undefined })
  const repairs = new Repairs(sides)
  const aligner = new Aligner({ ...sides, relay, repairs })
  relay.onDifference = sessionId => aligner.alignLater(sessionId)
  const opener = new SessionOpener({ ...sides, relay, aligner, opensDegraded })
  const publisher = isWriteBehind ? new Publisher({ relay, queue, logger, metrics }) : undefined
  const reader = new HybridReader({ ...sides, relay, aligner })
  const lanes = new Lanes({ ...sides, relay, aligner, forks, publisher })
  const writer = new HybridWriter({ ...sides, aligner, lanes })
  const deleter = new HybridDeleter({ ...sides, lanes, repairs })
  const backend = new HybridBackend({ ...sides, relay, reader, writer, deleter, opener, publisher })
  const { metricsIntervalMs = DEFAULT_METRICS_INTERVAL_MS } = settings
  const reconciler = new Reconciler({ ...sides, relay, parking, names, now, metricsIntervalMs })
  return { backend, reconciler, breaker }
}
