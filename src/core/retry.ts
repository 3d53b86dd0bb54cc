import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode, StoreTimeoutError } from './errors.js'

export interface RetryPolicy {
  /** One deadline for the whole call, its retries and waits included. */
  timeoutMs: number
  maxRetries: number
  baseDelayMs: number
  multiplier: number
}

/** A timer set for longer fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

export interface Attempt {
  operation: string
  sessionId?: string | undefined
}

/**
 * Runs `action` until it succeeds, fails for good, has been retried `maxRetries` times, or the deadline is over.
 * Only `STORE_UNAVAILABLE` and `TIMEOUT` are retried, after an exponential backoff with full jitter
 * (AWS Architecture Blog, "Exponential Backoff and Jitter"). Throws `StoreTimeoutError` at the deadline,
 * whether or not `action` ever ends.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  attempt: Attempt,
  action: () => Promise<T>,
): Promise<T> {
  const deadlineMs = performance.now() + policy.timeoutMs
  let first: unknown
  let timeout: unknown
  for (let retries = 0; ; retries++) {
    try {
      return await withDeadline(deadlineMs - performance.now(), policy, attempt, action)
    } catch (error) {
      const delayMs = Math.random() * policy.baseDelayMs * policy.multiplier ** retries
      const isOver = performance.now() + delayMs >= deadlineMs
      const isTimeout = hasCode(error, 'TIMEOUT')
      if (!isTimeout && !hasCode(error, 'STORE_UNAVAILABLE')) throw error
      if (isTimeout) timeout ??= error
      first ??= error
      // A timeout says that a write may have been applied; the first error says since when the store is away.
      if (retries >= policy.maxRetries || isOver) throw timeout ?? first
      await sleep(delayMs)
    }
  }
}

async function withDeadline<T>(
  leftMs: number,
  policy: RetryPolicy,
  { operation, sessionId }: Attempt,
  action: () => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    // One more turn of the event loop: it may be this process that was busy, with the answer waiting to be taken.
    const expire = () =>
      setImmediate(reject, new StoreTimeoutError(operation, policy.timeoutMs, { sessionId }))
    timer = setTimeout(expire, Math.min(leftMs, MAX_TIMER_MS))
  })
  try {
    return await Promise.race([action(), timeout])
  } finally {
    clearTimeout(timer)
  }
}
