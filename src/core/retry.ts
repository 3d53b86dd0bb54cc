import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode, StoreError, StoreTimeoutError, StoreUnavailableError } from './errors.js'
import type { KnownSituation } from './server-link.js'

export interface RetryPolicy {
  /** One deadline for the whole call, including its retries and waits. */
  timeoutMs: number
  maxRetries: number
  baseDelayMs: number
  multiplier: number
}

export function singleAttempt(timeoutMs: number): RetryPolicy {
  return { timeoutMs, maxRetries: 0, baseDelayMs: 0, multiplier: 1 }
}

/** A timer with a longer delay fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** A timer later than this was held up by other work of the process. */
const BUSY_MS = 20

export interface Attempt {
  operation: string
  sessionId?: string | undefined
  /** The link to the server; the error at the deadline tells its state. */
  link?: KnownSituation | undefined
}

/** A call of the store, as seen by the code that carries it out. */
export interface Call {
  /** No caller waits for it any more. */
  readonly isAbandoned: boolean
}

/**
 * Throws if no caller waits for the call any more. Asked directly before a change: one that comes after the deadline would
 * meet what others have done since.
 */
export function assertAwaited(call: Call | undefined): void {
  if (call?.isAbandoned)
    throw new StoreError('CLOSED', 'The deadline of this call is over. It changes nothing any more.')
}

/**
 * Runs `action` until it succeeds, fails for good, has been retried `maxRetries` times, or the deadline is over. Only
 * `STORE_UNAVAILABLE` and `TIMEOUT` are retried, after an exponential backoff with full jitter (AWS Architecture Blog,
 * "Exponential Backoff and Jitter"). Throws `StoreTimeoutError` at the deadline, even if `action` never ends; its call
 * is then abandoned.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  attempt: Attempt,
  action: (call: Call) => Promise<T>,
): Promise<T> {
  const deadlineMs = performance.now() + policy.timeoutMs
  const call = { isAbandoned: false }
  let first: unknown
  let timeout: unknown
  for (let retries = 0; ; retries++) {
    try {
      const leftMs = deadlineMs - performance.now()
      return await withDeadline(leftMs, policy, { ...attempt, known: first }, () => action(call))
    } catch (error) {
      const delayMs = Math.random() * policy.baseDelayMs * policy.multiplier ** retries
      const isOver = performance.now() + delayMs >= deadlineMs
      const isTimeout = hasCode(error, 'TIMEOUT')
      if (isOver) call.isAbandoned = true
      if (!isTimeout && !hasCode(error, 'STORE_UNAVAILABLE')) throw error
      if (isTimeout) timeout ??= error
      first ??= error
      // A timeout tells that a write may have been applied; the first error tells how long the store has been away.
      if (retries >= policy.maxRetries || isOver) throw about(attempt, timeout ?? first)
      await sleep(delayMs)
    }
  }
}

/** Adds the operation and the session, which the code that threw the error did not know. */
function about({ operation, sessionId, link }: Attempt, error: unknown): unknown {
  if (error instanceof StoreTimeoutError && error.operation !== operation) {
    const { timeoutMs, cause } = error
    return new StoreTimeoutError(operation, timeoutMs, { sessionId, situation: link?.situation, cause })
  }
  const isToTell = error instanceof StoreUnavailableError && error.sessionId === undefined
  return isToTell && sessionId !== undefined ? error.with({ sessionId }) : error
}

/** `known`: the error of the first attempt, if there was one before this. */
function withDeadline<T>(
  leftMs: number,
  policy: RetryPolicy,
  { operation, sessionId, link, known }: Attempt & { known: unknown },
  action: () => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const expire = (dueMs: number) => {
      // This process may have been busy while the answer was waiting: that time does not count.
      const lateMs = performance.now() - dueMs
      if (lateMs > BUSY_MS) arm(Math.min(lateMs, policy.timeoutMs))
      else {
        const { situation, cause } = mostTelling(link, known) ?? {}
        setImmediate(
          reject,
          new StoreTimeoutError(operation, policy.timeoutMs, { sessionId, situation, cause }),
        )
      }
    }
    const arm = (ms: number) => {
      timer = setTimeout(expire, Math.min(ms, MAX_TIMER_MS), performance.now() + ms)
    }
    const answer = action()
    arm(leftMs)
    answer.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** The link tells the state of now, but not every reason: it may have a connection, and yet no server that can do this. */
function mostTelling(link: KnownSituation | undefined, known: unknown): KnownSituation | undefined {
  const isUnknown = link?.cause === undefined
  if (!isUnknown || !(known instanceof StoreUnavailableError)) return link
  return { situation: known.situation, cause: known.cause }
}
