import type { StoreError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { maskSessionId } from '../core/masking.js'
import type { Metrics } from '../core/metrics.js'
import type { Outbox } from './outbox/outbox.js'
import type { PendingWrite } from './session/pending-write.js'

export interface ParkingParts {
  outbox: Outbox
  logger: Logger
  metrics: Metrics
}

/** Parks writes that the durable store refuses for good: they stay in the outbox, and hold up no others. */
export class Parking {
  /** How many entries were parked. */
  count = 0
  readonly #outbox: Outbox
  readonly #logger: Logger
  readonly #metrics: Metrics

  constructor({ outbox, logger, metrics }: ParkingParts) {
    this.#outbox = outbox
    this.#logger = logger
    this.#metrics = metrics
  }

  /**
   * Marks the entry as failed, with the reason, for the operator to inspect. Returns the digest of its new text;
   * `undefined`: the outbox does not have the write.
   */
  async park(
    sessionId: string,
    { version, operationId }: PendingWrite,
    { code }: StoreError,
  ): Promise<string | undefined> {
    const entry = (await this.#outbox.entryAt(sessionId, version))?.entry
    let digest: string | undefined
    if (entry?.operationId === operationId) {
      const attempts = entry.attempts + 1
      const failed = { status: 'failed', attempts, lastError: code, updatedAt: Date.now() } as const
      digest = await this.#outbox.mark(sessionId, { ...entry, ...failed })
    }
    this.#report(sessionId, { version, code })
    return digest
  }

  /** The text at this version is not a valid entry. */
  reportUnreadable(sessionId: string, version: number): void {
    this.#report(sessionId, { version, code: 'CORRUPT_VALUE' })
  }

  /** `count` names in the outbox are no versions. The log does not quote them: they may hold anything. */
  reportStrange(sessionId: string, count: number): void {
    this.#report(sessionId, { strangeNames: count, code: 'CORRUPT_VALUE' }, count)
  }

  #report(sessionId: string, about: object, entries = 1): void {
    this.count += entries
    this.#metrics.count('outbox_parked', entries)
    this.#logger.error(
      { sessionId: maskSessionId(sessionId), ...about },
      'an entry of the outbox cannot be applied to MongoDB; it stays until reconcileOutbox() is called',
    )
  }
}
