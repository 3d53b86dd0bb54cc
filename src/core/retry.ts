import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode, StoreTimeoutError, StoreUnavailableError } from './errors.js'
import type { KnownSituation } from './server-link.js'

export interface RetryPolicy {
  /** One deadline for the whole call, its retries and waits included. */
  timeoutMs: number
  maxRetries: number
  baseDelayMs: number
  multiplier: number
}

/** One attempt. */
export function singleAttempt(timeoutMs: number): RetryPolicy {
  return { timeoutMs, maxRetries: 0, baseDelayMs: 0, multiplier: 1 }
}

/** A timer set for longer fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** A timer that is later than this was held up by a process with other work. */
const BUSY_MS = 20

export interface Attempt {
  operation: string
  sessionId?: string | undefined
  /** To the server that is asked: a deadline tells what is known of it. */
  link?: KnownSituation | undefined
}

/** A call, as those know it who carry it out. */
export interface Call {
  /** Nobody waits for it any more. */
  readonly isAbandoned: boolean
}

/** Throws when nobody waits for the call any more. */
export function assertAwaited(call: Call | undefined): void {
  if (call?.isAbandoned) throw new Error('Nobody waits for this call any more.')
}

/**
 * Runs `action` until it succeeds, fails for good, has been retried `maxRetries` times, or the deadline is over.
 * Only `STORE_UNAVAILABLE` and `TIMEOUT` are retried, after an exponential backoff with full jitter
 * (AWS Architecture Blog, "Exponential Backoff and Jitter"). Throws `StoreTimeoutError` at the deadline,
 * whether or not `action` ever ends: its call is then abandoned.
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
      return await withDeadline(leftMs, policy, attempt, () => action(call))
    } catch (error) {
      const delayMs = Math.random() * policy.baseDelayMs * policy.multiplier ** retries
      const isOver = performance.now() + delayMs >= deadlineMs
      const isTimeout = hasCode(error, 'TIMEOUT')
      if (isOver) call.isAbandoned = true
      if (!isTimeout && !hasCode(error, 'STORE_UNAVAILABLE')) throw error
      if (isTimeout) timeout ??= error
      first ??= error
      // A timeout says that a write may have been applied; the first error says since when the store is away.
      if (retries >= policy.maxRetries || isOver) throw about(attempt, timeout ?? first)
      await sleep(delayMs)
    }
  }
}

/** Who cannot reach a database does not know for which session, nor who waits for a part of a call for which call. */
function about({ operation, sessionId, link }: Attempt, error: unknown): unknown {
  if (error instanceof StoreTimeoutError && error.operation !== operation) {
    const { timeoutMs, cause } = error
    return new StoreTimeoutError(operation, timeoutMs, { sessionId, situation: link?.situation, cause })
  }
  const isToTell = error instanceof StoreUnavailableError && error.sessionId === undefined
  return isToTell && sessionId !== undefined ? error.with({ sessionId }) : error
}

function withDeadline<T>(
  leftMs: number,
  policy: RetryPolicy,
  { operation, sessionId, link }: Attempt,
  action: () => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const expire = (dueMs: number) => {
      // It may be this process that was busy, with the answer waiting to be taken: that time does not count.
      const lateMs = performance.now() - dueMs
      if (lateMs > BUSY_MS) arm(Math.min(lateMs, policy.timeoutMs))
      else {
        const { situation, cause } = link ?? {}
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
