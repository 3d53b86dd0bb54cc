import { ClosedError } from '../errors.js'
import { type Call, type RetryPolicy, singleAttempt, withRetry } from '../retry.js'
import type { KnownSituation } from '../server-link.js'
import type { Observer } from './observer.js'

export interface OperationsParts {
  retry: RetryPolicy
  observer: Observer
  /** The link to the store's servers, for the error of a call that has waited in vain. */
  link: KnownSituation | undefined
}

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

  /** `operation`: its name in errors, logs and metrics. */
  run<T>(operation: string, sessionId: string | undefined, action: (call: Call) => Promise<T>): Promise<T> {
    this.assertOpen(sessionId)
    const { observer, retry, link } = this.#parts
    return observer.run(operation, sessionId, () => withRetry(retry, { operation, sessionId, link }, action))
  }

  /** Runs a check once. A check that fails, or misses the deadline of a call, is answered with `false`. */
  async check(operation: string, action: () => Promise<boolean>): Promise<boolean> {
    if (this.#isClosed) return false
    return withRetry(singleAttempt(this.#parts.retry.timeoutMs), { operation }, action).catch(() => false)
  }
}
