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
/** Ends before the next sweep is due, so that one process alone misses none. */
const SWEEP_LOCK_MS = 0.9 * SWEEP_EVERY_MS
/** After a sweep that has found no outbox, the next but one time is early enough. */
const NONE_FOUND_MS = 1.4 * SWEEP_EVERY_MS
/** A sweep rests so many times as long as Redis was busy with a page of `SCAN`: of a core it takes a twentieth. */
const RESTS = 19
/** A scrape of the metrics waits so long for a count, then takes the one before. */
const COUNT_MS = 2000
const SESSIONS_AT_ONCE = 8
/** Who has a lock and dies holds others up for so long. */
const LOCK_MS = 30_000
const LOCKED_PAUSE_MS = 50
const MAX_LOCKED_PAUSE_MS = 1000
/** A job is given up after so long: other processes have had the session all the while, one after the other. */
const LOCKED_MS = 2 * LOCK_MS
/** An entry is left to its own process, and to the queue, for so long. */
const GRACE_MS = 5000
/** Pause after a failed attempt, doubled with each. */
const FIRST_BACKOFF_MS = 1000
const MAX_BACKOFF_MS = 60_000

export interface OutboxReconcilerStats {
  /** Entries that this store has brought to MongoDB, its own and those of other processes. */
  totalProcessed: number
  /** Times that an outbox could not be emptied: by the sweep, for a job, or by hand. */
  totalFailed: number
  /** Entries that MongoDB refuses. They stay in the outbox until they are reconciled by hand. */
  totalParked: number
  /** Times that all outboxes were looked through. */
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
  /** For which a count of all outboxes is good. */
  metricsIntervalMs: number
  /** Instead of the clock. */
  now?: (() => number) | undefined
}

/** Brings to MongoDB what the processes that wrote it have not: they died, or MongoDB was away. */
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
  /** Sessions under whose name Redis holds something else than an outbox: each is told of once. */
  readonly #foreign = new Set<string>()
  /** Jobs whose turn has not come, by session. */
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

  /** Sweeps now and again, as one of all processes on the same Redis. */
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

  /** Everything that waits, now: what has been refused before, too. Throws what keeps a session from it. */
  async reconcileAll(): Promise<void> {
    await this.sweep(sessionId => this.#drain(sessionId, true))
  }

  /**
   * Brings what waits of one session to MongoDB, after whatever process is at it: that one may die before it has. Of
   * this process one call waits for all, and takes what is there when its turn comes.
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

  /** Goes over all outboxes, some at once. */
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

  /** What MongoDB refuses has been parked: damage that is left is of the key, which is none of ours. */
  #passOverForeign(sessionId: string, error: unknown): void {
    if (!hasCode(error, 'CORRUPT_VALUE')) throw error
    if (this.#foreign.has(sessionId)) return
    this.#foreign.add(sessionId)
    const about = { sessionId: maskSessionId(sessionId), code: 'CORRUPT_VALUE' }
    this.#logger.warn(about, 'a key has the name of an outbox and is none; it is passed over')
  }

  /** One at a time, of all processes. The lock is kept afterwards: it tells them that this round has been gone. */
  async #sweepDue(): Promise<void> {
    const { sweepLock } = this.#names
    if (this.#isSweeping || !(await this.#outbox.lock(sweepLock, SWEEP_LOCK_MS))) return
    this.#isSweeping = true
    const beganMs = performance.now()
    const renewing = setInterval(() => {
      this.#outbox.extend(sweepLock, SWEEP_LOCK_MS).catch(() => {}) // the next one may get through
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
        const isKept = kept?.operationId === first.operationId // else it was brought over, or parked, before another failed
        if (isKept) await this.#mark({ ...kept, status: 'pending', lastError: code })
      }
    })
  }

  /** Versions go in order: what keeps the first entry waiting keeps all of them. */
  async #first(sessionId: string): Promise<OutboxEntry | undefined> {
    const except = new Map<string, string>()
    for (;;) {
      const { entries, isAll } = await this.#outbox.entries(sessionId, { except })
      const first = entries.find(({ entry }) => entry && entry.status !== 'failed')?.entry
      if (first || isAll) return first
      for (const { version, digest } of entries) except.set(`${version}`, digest)
    }
  }

  /** What a dead process has left `processing` is taken up like what it has left `pending`. */
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

  /** The last count, or another one when it has become too old. One that failed is not kept. */
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
