import { InvalidOptionError } from '../core/errors.js'
import { readGiven } from '../core/input/read-given.js'
import { checkSessionId, fromTrashName } from '../core/names.js'
import { readMembers } from '../core/store/arguments.js'
import { CodecStore, type StoreParts } from '../core/store/codec-store.js'
import { DEFAULT_TTL_SECONDS, toSettings } from '../core/store/store-settings.js'
import { MongoBackend } from '../mongodb/mongo-backend.js'
import { namespaceOf, toCollection } from '../mongodb/mongo-options.js'
import { openConnection as openMongo } from '../mongodb/open-connection.js'
import { DEFAULT_PREFIX, KeyNames } from '../redis/key-names.js'
import { openConnection as openRedis } from '../redis/open-connection.js'
import type { Breaker } from './breaker/breaker.js'
import type { CircuitBreakerStats } from './breaker/breaker-stats.js'
import { composeHybrid } from './compose.js'
import { type HybridOptions, parseHybridOptions } from './hybrid-options.js'
import { warnOfLoss } from './loss-check.js'
import type { OutboxJob } from './queue.js'
import type { OutboxReconcilerStats, Reconciler } from './reconciler.js'

const DEFAULT_MAX_ENTRIES = 10_000

interface HybridParts extends StoreParts {
  breaker: Breaker
  reconciler: Reconciler
}

/** Many sessions in one Redis and one collection of MongoDB. Create it with `createHybridStore`. */
export class HybridAuthStore extends CodecStore {
  readonly #breaker: Breaker
  readonly #reconciler: Reconciler

  /** @internal */
  constructor(parts: HybridParts) {
    super(parts)
    this.#breaker = parts.breaker
    this.#reconciler = parts.reconciler
  }

  /** Whether calls to MongoDB are stopped for now, after too many failures. Writes then wait in the outbox. */
  isMongoCircuitBreakerOpen(): boolean {
    return this.#breaker.isOpen
  }

  /** opossum's counters of the calls to MongoDB in the last 10 seconds. */
  getCircuitBreakerStats(): CircuitBreakerStats {
    return this.#breaker.stats
  }

  /** What this store has applied from the outbox to MongoDB. */
  getOutboxStats(): OutboxReconcilerStats {
    return this.#reconciler.stats
  }

  /**
   * Applies all entries of all outboxes to MongoDB, and retries the parked ones. A session that an outage holds up does
   * not hold up the others; its error is thrown at the end. Entries that MongoDB still refuses are logged, and counted
   * in `totalParked`.
   */
  async reconcileOutbox(): Promise<void> {
    this.assertOpen()
    await this.#reconciler.reconcileAll()
  }

  /**
   * Does a job of the queue: applies the writes that wait in its session's outbox to MongoDB. Doing a job twice is
   * harmless. Throws the error that prevents it, `INVALID_OPTION` for a malformed job, and `INVALID_SESSION_ID`.
   */
  async processOutboxJob(job: OutboxJob): Promise<void> {
    const { sessionId } = readMembers('job', job, ['sessionId'], { ignoresOthers: true })
    if (typeof sessionId !== 'string')
      throw new InvalidOptionError('"job" must be what the queue was given: it has no "sessionId".')
    checkSessionId(fromTrashName(sessionId) ?? sessionId) // a deletion also writes its copy
    this.assertOpen()
    await this.#reconciler.reconcile(sessionId)
  }

  override async close(): Promise<void> {
    this.#reconciler.stop()
    await super.close()
  }
}

/** The worker of a queue calls this with the data of each job. Throws when the worker must try the job again. */
export async function processOutboxJob(store: HybridAuthStore, job: OutboxJob): Promise<void> {
  const toError = (cause?: Error) =>
    new InvalidOptionError('"store" must be a store of "createHybridStore".', { cause })
  if (!readGiven(() => typeof store?.processOutboxJob === 'function', toError)) throw toError()
  await store.processOutboxJob(job)
}

/**
 * Opens connections to both databases, or shares open ones, and waits for neither. A call that cannot reach the
 * databases it needs throws `STORE_UNAVAILABLE`. Throws `INVALID_OPTION` and `MISSING_DEPENDENCY`.
 */
export async function createHybridStore(given: HybridOptions): Promise<HybridAuthStore> {
  const { options, redis: redisOptions, mongo: mongoOptions } = parseHybridOptions(given)
  const { enableWriteBehind = false, queue, degradedOpen = false, outbox = {} } = options
  const settings = await toSettings(options, DEFAULT_TTL_SECONDS)
  const { retry, ttlMs, logger } = settings
  const hot = await openRedis(redisOptions, retry.timeoutMs)
  const opened = await openMongo(mongoOptions, retry.timeoutMs).catch(async error => {
    await hot.release()
    throw error
  })
  warnOfLoss(hot.connection, logger)
  const prefix = redisOptions.prefix ?? DEFAULT_PREFIX
  const names = new KeyNames(prefix, { hasOutbox: true })
  const memory = hot.connection.memoryOf(prefix)
  const maxEntries = outbox.maxEntries ?? DEFAULT_MAX_ENTRIES
  const { timeoutMs } = retry
  const { backend, reconciler, breaker } = composeHybrid({
    redis: {
      ...hot,
      names,
      ttlMs,
      maxEntries,
      collection: namespaceOf(opened.connection, mongoOptions).join('.'),
    },
    durable: new MongoBackend({
      collection: toCollection(opened.connection, mongoOptions),
      ttlMs,
      timeoutMs,
      logger,
      release: opened.release,
    }),
    memory,
    timeoutMs,
    isWriteBehind: enableWriteBehind,
    queue,
    opensDegraded: degradedOpen,
    logger,
    metrics: settings.observer.metrics,
    metricsIntervalMs: options.observability?.metricsInterval,
  })
  reconciler.start()
  return new HybridAuthStore({ ...settings, backend, reconciler, breaker, memory })
}
