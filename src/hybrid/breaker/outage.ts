import { hasCode, StoreUnavailableError } from '../../core/errors.js'
import type { ServerLink } from '../../core/server-link.js'

export interface OutageParts {
  /** The name of the database in errors. */
  store: string
  /** How long the breaker refuses calls after a failure. */
  resetMs: number
  link: ServerLink | undefined
}

/** What is known of the present outage of a database, and the errors that tell it. */
export class Outage {
  readonly #store: string
  readonly #resetMs: number
  readonly #link: ServerLink | undefined
  /** When the first failure since the last success was. */
  #since: Date | undefined
  /** Why the last call has failed; a success forgets it. */
  #lastReason: string | undefined
  /** The longest time that a call has waited in vain. Later calls wait less (`Breaker`). */
  #longestMs = 0

  constructor({ store, resetMs, link }: OutageParts) {
    this.#store = store
    this.#resetMs = resetMs
    this.#link = link
  }

  /** The database has answered. */
  end(): void {
    this.#since = undefined
    this.#lastReason = undefined
    this.#longestMs = 0
  }

  /** What a call has failed with, as its caller gets it. A missing answer is an outage. */
  toFailure(cause: unknown, timeoutMs: number): unknown {
    const failure = hasCode(cause, 'TIMEOUT') ? this.#toLateness(cause, timeoutMs) : cause
    if (!isOutageOf(this.#store, failure)) return failure
    const outage = failure as StoreUnavailableError
    this.#since ??= outage.since
    this.#lastReason = outage.reason
    return outage.with({ since: this.#since })
  }

  /** While the breaker is open. */
  toRefusal(): StoreUnavailableError {
    const said = `its circuit breaker is open; a call tries again ${this.#resetMs} ms after each failure.`
    const reason = this.#link?.reason ?? this.#lastReason
    return this.#toOutage(reason === undefined ? said : `${reason}; ${said}`)
  }

  /** A known connection problem says more than the missing answer. */
  #toLateness(cause: unknown, timeoutMs: number): StoreUnavailableError {
    const { reason, address } = this.#link ?? {}
    this.#longestMs = Math.max(this.#longestMs, timeoutMs)
    if (reason === undefined)
      return this.#toOutage(`it has not answered within ${this.#longestMs} ms.`, cause)
    const known = { cause: this.#link?.cause, address, since: this.#since }
    return new StoreUnavailableError(this.#store, `${reason}.`, known)
  }

  #toOutage(text: string, cause?: unknown): StoreUnavailableError {
    const address = this.#link?.address
    return new StoreUnavailableError(this.#store, text, { cause, address, since: this.#since })
  }
}

/** The store cannot be reached, or is too slow. Any other error means that it has answered. */
export function isOutage(error: unknown): boolean {
  return hasCode(error, 'STORE_UNAVAILABLE')
}

export function isOutageOf(store: string, error: unknown): boolean {
  return isOutage(error) && (error as StoreUnavailableError).store === store
}
