import { ClosedError, FencedError, type KnownOwner, SessionLockedError } from '../errors.js'
import { type Call, type RetryPolicy, singleAttempt, withRetry } from '../retry.js'
import type { KnownSituation } from '../server-link.js'
import type { Observer } from './observer.js'

export interface OperationsParts {
  retry: RetryPolicy
  observer: Observer
  /** The link to the store's servers, for the error of a call that has waited in vain. */
  link: KnownSituation | undefined
  /** The owner of a session, for the error of a call that it refuses. */
  findOwner: (sessionId: string) => Promise<KnownOwner | undefined>
}

/** How long such an error waits for the owner's name. */
const NAMING_MS = 1000
/** A call gets its deadline once for each group of this many fields that it changes, the last one incomplete. */
const FIELDS_A_DEADLINE = 1000

/** Runs the calls of one store: refuses them after its end, observes them, and repeats each within one deadline. */
export class Operations {
  readonly #parts: OperationsParts
  #isClosed = false

  constructor(parts: OperationsParts) {
    this.#parts = parts
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  close(): void {
    this.#isClosed = true
  }

  /** Throws `CLOSED`. */
  assertOpen(sessionId?: string): void {
    if (this.#isClosed) throw new ClosedError('The store', { sessionId })
  }

  /** `operation`: its name in errors, logs and metrics. `fields`: how many the call changes. */
  run<T>(
    operation: string,
    sessionId: string | undefined,
    action: (call: Call) => Promise<T>,
    fields = 1,
  ): Promise<T> {
    this.assertOpen(sessionId)
    const { observer, link } = this.#parts
    const retry = toPatient(this.#parts.retry, fields)
    const attempt = { operation, sessionId, link }
    return observer.run(operation, sessionId, () =>
      withRetry(retry, attempt, action).catch(error => this.#nameOwner(error)),
    )
  }

  /** Adds the owner's name to the error of a call that it refuses. */
  async #nameOwner(error: unknown): Promise<never> {
    const isRefusal =
      error instanceof SessionLockedError || (error instanceof FencedError && error.current !== undefined)
    if (!isRefusal || error.sessionId === undefined) throw error
    const { sessionId } = error
    const finding = withRetry(singleAttempt(NAMING_MS), { operation: 'describe' }, () =>
      this.#parts.findOwner(sessionId),
    )
    const owner = await finding.catch(() => undefined) // the refusal matters more
    throw owner ? error.by(owner) : error
  }

  /** Runs a check once. A check that fails, or misses the deadline of a call, is answered with `false`. */
  async check(operation: string, action: () => Promise<boolean>): Promise<boolean> {
    if (this.#isClosed) return false
    return withRetry(singleAttempt(this.#parts.retry.timeoutMs), { operation }, action).catch(() => false)
  }
}

function toPatient(retry: RetryPolicy, fields: number): RetryPolicy {
  if (fields <= FIELDS_A_DEADLINE) return retry
  return { ...retry, timeoutMs: retry.timeoutMs * Math.ceil(fields / FIELDS_A_DEADLINE) }
}
