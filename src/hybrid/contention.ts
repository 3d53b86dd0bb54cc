import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailableError } from '../core/errors.js'
import { assertAwaited, type Call } from '../core/retry.js'

const FIRST_PAUSE_MS = 5
const MAX_PAUSE_MS = 200

/**
 * Attempts at an action while others keep changing or evicting the session. They go on for the time of one call, at
 * growing intervals, so that every competitor wins in the end. A limit on the number of attempts would favour slower
 * processes.
 */
export class Contention {
  readonly #sessionId: string
  readonly #endMs: number
  readonly #call: Call | undefined
  #pauseMs = FIRST_PAUSE_MS

  /** `call`: the call that waits for the attempts. */
  constructor(sessionId: string, timeoutMs: number, call?: Call) {
    this.#sessionId = sessionId
    this.#endMs = performance.now() + timeoutMs
    this.#call = call
  }

  /** Pauses before the next attempt. Throws when the time is over, and when no caller waits any more. */
  async pause(cause?: unknown): Promise<void> {
    assertAwaited(this.#call)
    if (performance.now() >= this.#endMs) throw overtakenError(this.#sessionId, cause)
    await sleep(Math.random() * this.#pauseMs)
    this.#pauseMs = Math.min(2 * this.#pauseMs, MAX_PAUSE_MS)
    assertAwaited(this.#call)
  }
}

/** The error after too many attempts. `cause`: the error of the last one. */
export function overtakenError(sessionId: string, cause?: unknown): StoreUnavailableError {
  return new StoreUnavailableError('Redis', 'the session changes faster than it can be loaded.', {
    sessionId,
    cause,
  })
}
