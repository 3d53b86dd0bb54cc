import { hasCode, type StoreError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { maskSessionId } from '../core/masking.js'
import type { KeyNames } from '../redis/key-names.js'
import type { Outbox } from './outbox/outbox.js'
import type { OutboxCensus } from './outbox/outbox-census.js'

const SWEEP_EVERY_MS = 30_000
/** The lock ends before the next sweep is due, so that a single process misses none. */
const SWEEP_LOCK_MS = 0.9 * SWEEP_EVERY_MS
/** After a sweep that found no outbox, the processes skip one interval. */
const NONE_FOUND_MS = 1.4 * SWEEP_EVERY_MS
/** A sweep rests this many times as long as a page of `SCAN` took: Redis spends a twentieth of its time on it. */
const RESTS = 19

export interface SweeperParts {
  outbox: Outbox
  census: OutboxCensus
  names: KeyNames
  logger: Logger
  /** Whether a sweep would be in vain. */
  isAway: () => boolean
  now: () => number
}

/** Goes over the outboxes of all sessions, regularly. Of all processes on the same Redis, one does so at a time. */
export class Sweeper {
  /** How often this store has gone over all outboxes. */
  sweeps = 0
  /** When the last sweep ended. */
  lastRunAt: Date | null = null
  readonly #outbox: Outbox
  readonly #census: OutboxCensus
  readonly #names: KeyNames
  readonly #logger: Logger
  readonly #isAway: () => boolean
  readonly #now: () => number
  /** Sessions whose outbox name belongs to a foreign key. Each is logged once. */
  readonly #foreign = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #running = 0
  #isSweeping = false

  constructor({ outbox, census, names, logger, isAway, now }: SweeperParts) {
    this.#outbox = outbox
    this.#census = census
    this.#names = names
    this.#logger = logger
    this.#isAway = isAway
    this.#now = now
  }

  get isRunning(): boolean {
    return this.#running > 0
  }

  start(action: (sessionId: string) => Promise<void>): void {
    this.#timer = setInterval(() => {
      if (this.#isAway() || this.#isSweeping) return
      this.#sweepDue(action).catch(error =>
        this.#logger.warn({ code: (error as StoreError).code }, 'the outboxes were not swept'),
      )
    }, SWEEP_EVERY_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Goes over all outboxes. */
  async sweep(action: (sessionId: string) => Promise<void>, { rests = 0 } = {}): Promise<void> {
    this.#running++
    try {
      await this.#outbox.forEachSession(
        sessionId => action(sessionId).catch(error => this.#passOverForeign(sessionId, error)),
        { rests },
      )
    } finally {
      this.#running--
      this.sweeps++
      this.lastRunAt = new Date(this.#now())
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
    this.#logger.warn(about, 'a key has the name of an outbox but is none; the sweep skips it')
  }

  /** One process sweeps at a time. It keeps the lock afterwards, which tells the others that this round is done. */
  async #sweepDue(action: (sessionId: string) => Promise<void>): Promise<void> {
    const { sweepLock } = this.#names
    if (this.#isSweeping || !(await this.#outbox.locks.take(sweepLock, SWEEP_LOCK_MS))) return
    this.#isSweeping = true
    const beganMs = performance.now()
    const renewing = setInterval(() => {
      this.#outbox.locks.extend(sweepLock, SWEEP_LOCK_MS).catch(() => {}) // the next renewal may succeed
    }, SWEEP_LOCK_MS / 3)
    renewing.unref()
    const tally = this.#census.begin()
    const actAndCount = async (sessionId: string) => {
      await action(sessionId)
      await this.#census.add(tally, sessionId)
    }
    try {
      await this.sweep(actAndCount, { rests: RESTS })
    } finally {
      clearInterval(renewing)
      this.#isSweeping = false
    }
    const tookMs = performance.now() - beganMs
    const restMs = tally.depth === 0 ? NONE_FOUND_MS : SWEEP_LOCK_MS - tookMs
    await this.#outbox.locks.extend(sweepLock, Math.max(restMs, tookMs))
    await this.#census.publish(tally)
  }
}
