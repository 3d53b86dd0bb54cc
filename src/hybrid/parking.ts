import type { StoreError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { maskSessionId } from '../core/masking.js'
import type { Metrics } from '../core/metrics.js'
import type { Outbox, StoredEntry } from './outbox.js'
import type { PendingWrite } from './pending-write.js'
import type { SessionState } from './session-state.js'

export interface ParkingParts {
  outbox: Outbox
  logger: Logger
  metrics: Metrics
}

/** Sets writes aside that MongoDB refuses for good: they stay in the outbox, and hold up no other. */
export class Parking {
  /** Times that a write was set aside. */
  count = 0
  readonly #outbox: Outbox
  readonly #logger: Logger
  readonly #metrics: Metrics

  constructor({ outbox, logger, metrics }: ParkingParts) {
    this.#outbox = outbox
    this.#logger = logger
    this.#metrics = metrics
  }

  /** Leaves the entry in the outbox, with the reason, for whoever looks into it. */
  async park(sessionId: string, state: SessionState, write: PendingWrite, error: StoreError): Promise<void> {
    const { version, operationId } = write
    const { entries } = await this.#outbox.entries(sessionId, { leftOut: state.parked })
    const entry = entries.find(({ entry: found }) => found?.operationId === operationId)?.entry
    if (entry) {
      const attempts = entry.attempts + 1
      const failed = { status: 'failed', attempts, lastError: error.code, updatedAt: Date.now() } as const
      state.parked.set(`${version}`, await this.#outbox.mark(sessionId, { ...entry, ...failed }))
    }
    this.#report(sessionId, { version, code: error.code })
  }

  /** Passes over what has been parked before, by whomever; without an entry, since what is there cannot be read. */
  passOver(sessionId: string, state: SessionState, { version, entry, digest }: StoredEntry): void {
    state.parked.set(`${version}`, digest)
    if (entry === undefined) this.#report(sessionId, { version, code: 'CORRUPT_VALUE' })
  }

  /** Passes over names that are no versions. Their own text is told to nobody: it may be anything. */
  passOverStrange(sessionId: string, state: SessionState, names: readonly string[]): void {
    if (names.length === 0) return
    for (const name of names) state.parked.set(name, '')
    this.#report(sessionId, { strangeNames: names.length, code: 'CORRUPT_VALUE' }, names.length)
  }

  #report(sessionId: string, about: object, entries = 1): void {
    this.count += entries
    this.#metrics.count('outbox_parked', entries)
    this.#logger.error(
      { sessionId: maskSessionId(sessionId), ...about },
      'MongoDB refuses a write; it is kept in the outbox until it is reconciled by hand',
    )
  }
}
