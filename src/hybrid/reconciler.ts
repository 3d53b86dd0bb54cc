import { setTimeout as sleep } from 'node:timers/promises'
import { type StoreError, StoreUnavailableError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { maskSessionId } from '../core/masking.js'
import type { Metrics } from '../core/metrics.js'
import type { KeyNames } from '../redis/key-names.js'
import type { DurableSide } from './durable-side.js'
import type { Outbox } from './outbox/outbox.js'
import { OutboxCensus } from './outbox/outbox-census.js'
import type { OutboxEntry } from './outbox/outbox-entry.js'
import { readPages } from './outbox/outbox-pages.js'
import type { OutboxRelay } from './outbox-relay.js'
import type { Parking } from './parking.js'
import { Sweeper } from './sweeper.js'

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
  readonly #relay: OutboxRelay
  readonly #parking: Parking
  readonly #names: KeyNames
  readonly #logger: Logger
  readonly #metrics: Metrics
  readonly #now: () => number
  readonly #census: OutboxCensus
  readonly #sweeper: Sweeper
  /** Jobs that wait for their turn, by session. */
  readonly #waiting = new Map<string, Promise<void>>()
  #unwatch = () => {}
  #totalFailed = 0

  constructor(parts: ReconcilerParts) {
    const {
      outbox,
      durable,
      relay,
      parking,
      names,
      logger,
      metrics,
      metricsIntervalMs,
      now = Date.now,
    } = parts
    this.#outbox = outbox
    this.#relay = relay
    this.#parking = parking
    this.#names = names
    this.#logger = logger
    this.#metrics = metrics
    this.#now = now
    this.#census = new OutboxCensus({ outbox, names, metricsIntervalMs, now })
    const isAway = () => durable.breaker.isOpen
    this.#sweeper = new Sweeper({ outbox, census: this.#census, names, logger, isAway, now })
  }

  get stats(): OutboxReconcilerStats {
    return {
      totalProcessed: this.#relay.appliedCount,
      totalFailed: this.#totalFailed,
      totalParked: this.#parking.count,
      sweeps: this.#sweeper.sweeps,
      isRunning: this.#sweeper.isRunning,
      lastRunAt: this.#sweeper.lastRunAt,
    }
  }

  /** Begins to sweep, and to count for the metrics. */
  start(): void {
    this.#sweeper.start(sessionId => this.#reconcileDue(sessionId))
    this.#unwatch = this.#metrics.watchOutbox(() => this.#census.measure())
  }

  stop(): void {
    this.#unwatch()
    this.#sweeper.stop()
  }

  /** Applies all that waits, now, including parked entries. Throws the error of a session that could not be emptied. */
  async reconcileAll(): Promise<void> {
    await this.#sweeper.sweep(sessionId => this.#drain(sessionId, true))
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
        this.#logger.warn(about, 'this process could not empty an outbox; a later sweep tries again')
        const kept = await this.#first(sessionId)
        // else it was applied or parked before another entry failed
        const isKept = kept?.operationId === first.operationId
        if (isKept) await this.#mark({ ...kept, status: 'pending', lastError: code })
      }
    })
  }

  /** Versions go in order: the first entry holds up all others. */
  async #first(sessionId: string): Promise<OutboxEntry | undefined> {
    for await (const { entries } of readPages(this.#outbox, sessionId)) {
      const first = entries.find(({ entry }) => entry && entry.status !== 'failed')
      if (first) return first.entry
    }
    return undefined
  }

  /** An entry that a dead process has left `processing` is due like a `pending` one. */
  #isDue({ attempts, updatedAt }: OutboxEntry): boolean {
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** attempts, MAX_BACKOFF_MS)
    const ageMs = this.#now() - updatedAt // by two clocks: Redis gives a new entry its instant
    return ageMs < 0 || ageMs >= Math.max(GRACE_MS, attempts === 0 ? 0 : backoffMs)
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

  #locked(sessionId: string, action: () => Promise<void>): Promise<boolean> {
    return this.#outbox.locks.run(this.#names.lockOf(sessionId), LOCK_MS, action)
  }
}

function nextPauseMs(ms: number): number {
  return Math.min(1.5 * ms, MAX_LOCKED_PAUSE_MS)
}

function toBusy(sessionId: string): StoreUnavailableError {
  const reason = `other processes have been emptying the session's outbox for ${LOCKED_MS} ms; try the job again.`
  return new StoreUnavailableError('Redis', reason, { sessionId })
}
