import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode, type StoreError, StoreUnavailableError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { maskSessionId } from '../core/masking.js'
import type { Metrics, OutboxMeasure } from '../core/metrics.js'
import type { KeyNames } from '../redis/key-names.js'
import type { DurableSide } from './durable-side.js'
import { forEach } from './for-each.js'
import type { Outbox } from './outbox.js'
import { OutboxCensus, UNKNOWN } from './outbox-census.js'
import type { OutboxEntry } from './outbox-entry.js'
import type { OutboxRelay } from './outbox-relay.js'
import type { Parking } from './parking.js'

const SWEEP_EVERY_MS = 30_000
/** The lock ends before the next sweep is due, so that a single process misses none. */
const SWEEP_LOCK_MS = 0.9 * SWEEP_EVERY_MS
/** After a sweep that found no outbox, the processes skip one interval. */
const NONE_FOUND_MS = 1.4 * SWEEP_EVERY_MS
/** A sweep rests this many times as long as a page of `SCAN` took: Redis spends a twentieth of its time on it. */
const RESTS = 19
/** How long a scrape of the metrics waits for a new count, before it uses the last one. */
const COUNT_MS = 2000
const SESSIONS_AT_ONCE = 8
/** If the holder of a lock dies, the others wait for this long. */
const LOCK_MS = 30_000
const LOCKED_PAUSE_MS = 50
const MAX_LOCKED_PAUSE_MS = 1000
/** How long a job waits for the session's lock, while other processes hold it one after the other. */
const LOCKED_MS = 2 * LOCK_MS
/** How long an entry is left to its own process and to the queue. */
const GRACE_MS = 5000
/** The pause after a failed attempt; each failure doubles it. */
const FIRST_BACKOFF_MS = 1000
const MAX_BACKOFF_MS = 60_000

export interface OutboxReconcilerStats {
  /** Entries that this store has applied to MongoDB, its own and those of other processes. */
  totalProcessed: number
  /** How often an outbox could not be emptied: by the sweep, for a job, or by hand. */
  totalFailed: number
  /** Entries that MongoDB refuses. They stay in the outbox until `reconcileOutbox()`. */
  totalParked: number
  /** How often this store has gone over all outboxes. */
  sweeps: number
  isRunning: boolean
  /** When the last sweep ended. */
  lastRunAt: Date | null
}

export interface ReconcilerParts {
  outbox: Outbox
  durable: DurableSide
  relay: OutboxRelay
  parking: Parking
  names: KeyNames
  logger: Logger
  metrics: Metrics
  /** How long a count of all outboxes stays valid. */
  metricsIntervalMs: number
  /** Replaces the clock. */
  now?: (() => number) | undefined
}

/** Applies writes to MongoDB that their own process has not applied, because it died or MongoDB was away. */
export class Reconciler {
  readonly #outbox: Outbox
  readonly #durable: DurableSide
  readonly #relay: OutboxRelay
  readonly #parking: Parking
  readonly #names: KeyNames
  readonly #logger: Logger
  readonly #metrics: Metrics
  readonly #metricsIntervalMs: number
  readonly #now: () => number
  readonly #census: OutboxCensus
  /** Sessions whose outbox name belongs to a foreign key. Each is logged once. */
  readonly #foreign = new Set<string>()
  /** Jobs that wait for their turn, by session. */
  readonly #waiting = new Map<string, Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #unwatch = () => {}
  #totalFailed = 0
  #sweeps = 0
  #running = 0
  #lastRunAt: Date | null = null
  #isSweeping = false
  #measuredAtMs = Number.NEGATIVE_INFINITY
  #measure: OutboxMeasure = UNKNOWN
  #measuring: Promise<OutboxMeasure> = Promise.resolve(UNKNOWN)

  constructor(parts: ReconcilerParts) {
    const { outbox, durable, relay, parking, names, logger, metrics, metricsIntervalMs } = parts
    this.#outbox = outbox
    this.#durable = durable
    this.#relay = relay
    this.#parking = parking
    this.#names = names
    this.#logger = logger
    this.#metrics = metrics
    this.#metricsIntervalMs = metricsIntervalMs
    this.#now = parts.now ?? Date.now
    this.#census = new OutboxCensus(outbox, names, this.#now)
  }

  get stats(): OutboxReconcilerStats {
    return {
      totalProcessed: this.#relay.appliedCount,
      totalFailed: this.#totalFailed,
      totalParked: this.#parking.count,
      sweeps: this.#sweeps,
      isRunning: this.#running > 0,
      lastRunAt: this.#lastRunAt,
    }
  }

  /** Sweeps regularly; of all processes on the same Redis, one sweeps at a time. */
  start(): void {
    this.#timer = setInterval(() => {
      if (this.#durable.breaker.isOpen || this.#isSweeping) return
      this.#sweepDue().catch(error =>
        this.#logger.warn({ code: (error as StoreError).code }, 'the outboxes were not swept'),
      )
    }, SWEEP_EVERY_MS)
    this.#timer.unref()
    this.#unwatch = this.#metrics.watchOutbox(() => this.#measureAgain())
  }

  stop(): void {
    this.#unwatch()
    clearInterval(this.#timer)
  }

  /** Applies all that waits, now, including parked entries. Throws the error of a session that could not be emptied. */
  async reconcileAll(): Promise<void> {
    await this.sweep(sessionId => this.#drain(sessionId, true))
  }

  /**
   * Applies what waits of one session to MongoDB. Waits for a process that is already doing so, since it may die before
   * it has finished. In this process, calls share one wait; the drain takes all that is there when its turn comes.
   */
  reconcile(sessionId: string): Promise<void> {
    const waiting = this.#waiting.get(sessionId)
    if (waiting) return waiting
    const drain = () => {
      this.#waiting.delete(sessionId)
      return this.#drain(sessionId)
    }
    const whenFree = async () => {
      const endMs = performance.now() + LOCKED_MS
      for (let ms = LOCKED_PAUSE_MS; !(await this.#locked(sessionId, drain)); ms = nextPauseMs(ms)) {
        if (performance.now() > endMs) throw toBusy(sessionId)
        await sleep(ms * (1 + Math.random()))
      }
    }
    const reconciling = whenFree().finally(() => {
      if (this.#waiting.get(sessionId) === reconciling) this.#waiting.delete(sessionId)
    })
    this.#waiting.set(sessionId, reconciling)
    return reconciling
  }

  /** Goes over all outboxes, SESSIONS_AT_ONCE at a time. */
  async sweep(action: (sessionId: string) => Promise<void>, { rests = 0 } = {}): Promise<void> {
    this.#running++
    try {
      await forEach(this.#outbox.sessions({ rests }), SESSIONS_AT_ONCE, sessionId =>
        action(sessionId).catch(error => this.#passOverForeign(sessionId, error)),
      )
    } finally {
      this.#running--
      this.#sweeps++
      this.#lastRunAt = new Date(this.#now())
    }
  }

  /**
   * Skips a foreign key under an outbox's name. Entries that MongoDB refuses are parked by now, so the damage is the
   * key's.
   */
  #passOverForeign(sessionId: string, error: unknown): void {
    if (!hasCode(error, 'CORRUPT_VALUE')) throw error
    if (this.#foreign.has(sessionId)) return
    this.#foreign.add(sessionId)
    const about = { sessionId: maskSessionId(sessionId), code: 'CORRUPT_VALUE' }
    this.#logger.warn(about, 'a key has the name of an outbox and is none; it is passed over')
  }

  /** One process sweeps at a time. It keeps the lock afterwards, which tells the others that this round is done. */
  async #sweepDue(): Promise<void> {
    const { sweepLock } = this.#names
    if (this.#isSweeping || !(await this.#outbox.lock(sweepLock, SWEEP_LOCK_MS))) return
    this.#isSweeping = true
    const beganMs = performance.now()
    const renewing = setInterval(() => {
      this.#outbox.extend(sweepLock, SWEEP_LOCK_MS).catch(() => {}) // the next renewal may succeed
    }, SWEEP_LOCK_MS / 3)
    renewing.unref()
    const tally = this.#census.begin()
    const action = async (sessionId: string) => {
      await this.#reconcileDue(sessionId)
      await this.#census.add(tally, sessionId)
    }
    try {
      await this.sweep(action, { rests: RESTS })
    } finally {
      clearInterval(renewing)
      this.#isSweeping = false
    }
    const tookMs = performance.now() - beganMs
    const restMs = tally.depth === 0 ? NONE_FOUND_MS : SWEEP_LOCK_MS - tookMs
    await this.#outbox.extend(sweepLock, Math.max(restMs, tookMs))
    await this.#census.publish(tally)
  }

  async #reconcileDue(sessionId: string): Promise<void> {
    await this.#locked(sessionId, async () => {
      const first = await this.#first(sessionId)
      if (first === undefined || !this.#isDue(first)) return
      const attempts = first.attempts + 1
      await this.#mark({ ...first, status: 'processing', attempts })
      try {
        await this.#drain(sessionId)
      } catch (error) {
        const { code = 'UNKNOWN' } = error as Partial<StoreError>
        const about = { sessionId: maskSessionId(sessionId), code, attempts }
        this.#logger.warn(about, 'an outbox was not emptied; it is tried again')
        const kept = await this.#first(sessionId)
        // else it was applied or parked before another entry failed
        const isKept = kept?.operationId === first.operationId
        if (isKept) await this.#mark({ ...kept, status: 'pending', lastError: code })
      }
    })
  }

  /** Versions go in order: the first entry holds up all others. */
  async #first(sessionId: string): Promise<OutboxEntry | undefined> {
    const except = new Map<string, string>()
    for (;;) {
      const { entries, isAll } = await this.#outbox.entries(sessionId, { except })
      const first = entries.find(({ entry }) => entry && entry.status !== 'failed')?.entry
      if (first || isAll) return first
      for (const { version, digest } of entries) except.set(`${version}`, digest)
    }
  }

  /** An entry that a dead process has left `processing` is due like a `pending` one. */
  #isDue({ attempts, updatedAt }: OutboxEntry): boolean {
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** attempts, MAX_BACKOFF_MS)
    return this.#now() - updatedAt >= Math.max(GRACE_MS, attempts === 0 ? 0 : backoffMs)
  }

  async #mark(entry: OutboxEntry): Promise<void> {
    await this.#outbox.mark(entry.sessionId, { ...entry, updatedAt: this.#now() })
  }

  async #drain(sessionId: string, evenParked = false): Promise<void> {
    const beganMs = performance.now()
    try {
      await this.#relay.drain(sessionId, { evenParked })
      this.#metrics.observeReconciliation(performance.now() - beganMs)
    } catch (error) {
      this.#totalFailed++
      this.#metrics.count('outbox_reconciler_failures')
      throw error
    }
  }

  /** The last count, or a new one if that is too old. Does not keep a failed count. */
  #measureAgain(): Promise<OutboxMeasure> {
    if (performance.now() - this.#measuredAtMs >= this.#metricsIntervalMs) {
      this.#measuredAtMs = performance.now()
      this.#measuring = this.#takeMeasure()
    }
    const before = sleep(COUNT_MS, undefined, { ref: false }).then(() => this.#measure)
    return Promise.race([this.#measuring, before])
  }

  async #takeMeasure(): Promise<OutboxMeasure> {
    try {
      this.#measure = await this.#census.measure(this.#metricsIntervalMs)
    } catch {
      this.#measure = UNKNOWN
      this.#measuredAtMs = Number.NEGATIVE_INFINITY
    }
    return this.#measure
  }

  #locked(sessionId: string, action: () => Promise<void>): Promise<boolean> {
    return this.#outbox.locked(this.#names.lockOf(sessionId), LOCK_MS, action)
  }
}

function nextPauseMs(ms: number): number {
  return Math.min(1.5 * ms, MAX_LOCKED_PAUSE_MS)
}

function toBusy(sessionId: string): StoreUnavailableError {
  const reason = `other processes have been emptying the session's outbox for ${LOCKED_MS} ms; try the job again.`
  return new StoreUnavailableError('Redis', reason, { sessionId })
}
