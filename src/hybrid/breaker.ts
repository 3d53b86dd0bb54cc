import CircuitBreaker from 'opossum'
import { hasCode, StoreUnavailableError } from '../core/errors.js'
import type { GaugeName, Layer, Metrics } from '../core/metrics.js'
import { singleAttempt, withRetry } from '../core/retry.js'
import type { ServerLink } from '../core/server-link.js'

export interface BreakerOptions {
  /** What is behind it, as errors name it. */
  store: string
  layer: Layer
  openGauge: GaugeName
  metrics: Metrics
  /** Longest wait for an answer, unless a call says otherwise. Slower ones count as failures. */
  timeoutMs: number
  /** How long it stays open before one call may try again. */
  resetMs: number
  /** The time over which failures are counted. */
  windowMs: number
  /** Whether the client is still looking for a server: asked before a try that would wait for that. Default: never. */
  isConnecting?: (() => boolean) | undefined
  /** Whether no other store can help: then a call tries although it is open. Default: never. */
  isLastResort?: (() => boolean) | undefined
  /** To what is behind it: errors say what is known of it. */
  link?: ServerLink | undefined
  /** Told once of each outage, `undefined` of its end. */
  onOutage?: ((outage: StoreUnavailableError | undefined) => void) | undefined
}

/** For what reads or writes all of a session, whatever its size: a call's own deadline ends the wait before. */
export const LOADING_MS = 30_000

/**
 * opossum's counters of one window. Calls that took too long are among the failures: what opossum would count in
 * `timeouts`, and what it has for features that are not used here, stays 0.
 */
export interface CircuitBreakerStats {
  /** Calls that were asked for. */
  fires: number
  successes: number
  failures: number
  /** Calls that were refused while it was open. */
  rejects: number
  timeouts: number
  fallbacks: number
  semaphoreRejections: number
  cacheHits: number
  cacheMisses: number
}

/** It opens above this share of failures, once so many calls have been made in the window. */
const MAX_ERRORS_PERCENTAGE = 50
const MIN_CALLS = 3
/**
 * So many failures, each of a call that began after the one before had failed, open it as well: the successes of a busy
 * window would outweigh them for seconds. A lost connection, which many calls fail with at once, is one of them.
 */
const MAX_FAILURES_IN_A_ROW = 4

/** While a store fails, calls to it fail at once (M. Nygard, "Release It!", Circuit Breaker). */
export class Breaker {
  readonly #store: string
  readonly #timeoutMs: number
  readonly #resetMs: number
  readonly #layer: Layer
  readonly #openGauge: GaugeName
  readonly #metrics: Metrics
  readonly #isConnecting: () => boolean
  readonly #isLastResort: () => boolean
  readonly #link: ServerLink | undefined
  readonly #onOutage: (outage: StoreUnavailableError | undefined) => void
  readonly #circuit: CircuitBreaker<[call: () => Promise<unknown>], unknown>
  #failuresInARow = 0
  /** The first failure since the last success. */
  #failingSince: Date | undefined
  #isCountedOpen = false
  #isProbing = false

  constructor(options: BreakerOptions) {
    const { store, resetMs, windowMs } = options
    this.#store = store
    this.#timeoutMs = options.timeoutMs
    this.#resetMs = resetMs
    this.#layer = options.layer
    this.#openGauge = options.openGauge
    this.#metrics = options.metrics
    this.#isConnecting = options.isConnecting ?? (() => false)
    this.#isLastResort = options.isLastResort ?? (() => false)
    this.#link = options.link
    this.#onOutage = options.onOutage ?? (() => {})
    this.#circuit = new CircuitBreaker((call: () => Promise<unknown>) => call(), {
      name: store,
      timeout: false, // below, where a process that was busy itself does not count as a slow store
      errorThresholdPercentage: MAX_ERRORS_PERCENTAGE,
      volumeThreshold: MIN_CALLS,
      resetTimeout: resetMs,
      rollingCountTimeout: windowMs,
      rollingPercentilesEnabled: false,
      errorFilter: error => !isOutageOf(store, error),
    })
    this.#circuit.on('open', () => {
      this.#failuresInARow = 0
      if (!this.#isCountedOpen) this.#onOutage(this.#toRefusal())
      this.#countOpen(true)
    })
    this.#circuit.on('close', () => this.#noteEnd())
  }

  get isOpen(): boolean {
    return this.#circuit.opened
  }

  /** Neither open nor half open. */
  get isClosed(): boolean {
    return this.#circuit.closed
  }

  get stats(): CircuitBreakerStats {
    const { stats } = this.#circuit
    return {
      fires: stats.fires,
      successes: stats.successes,
      failures: stats.failures,
      rejects: stats.rejects,
      timeouts: stats.timeouts,
      fallbacks: stats.fallbacks,
      semaphoreRejections: stats.semaphoreRejections,
      cacheHits: stats.cacheHits,
      cacheMisses: stats.cacheMisses,
    }
  }

  /** Throws what the call throws; `STORE_UNAVAILABLE` while open, and for a call that takes too long. */
  async run<T>(call: () => Promise<T>, timeoutMs = this.#patienceMs): Promise<T> {
    if (this.#circuit.halfOpen && this.#isConnecting()) throw this.#toRefusal()
    if (this.isOpen && !this.#isProbing && this.#isLastResort()) return this.#probe(call, timeoutMs)
    try {
      return (await this.#circuit.fire(() => this.#withDeadline(call, timeoutMs))) as T
    } catch (error) {
      if (!CircuitBreaker.isOurError(error as Error)) throw error
      throw this.#toRefusal()
    }
  }

  /** As `run`, for what no other store can tell: one such call at a time tries although it is open. */
  async insist<T>(call: () => Promise<T>): Promise<T> {
    const mayProbe = this.isOpen && !this.#isProbing && !this.#isConnecting()
    return mayProbe ? this.#probe(call, this.#patienceMs) : this.run(call)
  }

  onChange(state: 'open' | 'close' | 'halfOpen', listener: () => void): void {
    this.#circuit.on(state as 'open', listener)
  }

  close(): void {
    this.#circuit.shutdown()
    this.#countOpen(false)
  }

  /** A try before its time; the others are refused meanwhile. */
  async #probe<T>(call: () => Promise<T>, timeoutMs: number): Promise<T> {
    this.#isProbing = true
    let failure: unknown
    try {
      return await this.#withDeadline(call, timeoutMs)
    } catch (error) {
      failure = error
      throw error
    } finally {
      this.#isProbing = false
      if (!isOutageOf(this.#store, failure)) this.#circuit.close()
    }
  }

  /** `before`: failures in a row when the call began. */
  #noteFailure(before: number): void {
    if (before !== this.#failuresInARow || ++this.#failuresInARow < MAX_FAILURES_IN_A_ROW) return
    this.#failuresInARow = 0 // also of tries while it is open, or each would be given less time
    this.#circuit.open()
  }

  /** Half as long after each failure, so that a bot which does one thing at a time soon knows. */
  get #patienceMs(): number {
    return Math.ceil(this.#timeoutMs / 2 ** this.#failuresInARow)
  }

  #toRefusal(): StoreUnavailableError {
    return this.#toOutage(
      `its circuit breaker is open; a call tries again ${this.#resetMs} ms after each failure.`,
    )
  }

  /** That there is no connection says more than that there was no answer. */
  #toLateness(cause: unknown, timeoutMs: number): StoreUnavailableError {
    const { reason, address } = this.#link ?? {}
    if (reason === undefined) return this.#toOutage(`it has not answered within ${timeoutMs} ms.`, cause)
    const known = { cause: this.#link?.cause, address, since: this.#failingSince }
    return new StoreUnavailableError(this.#store, `${reason}.`, known)
  }

  #toOutage(said: string, cause?: unknown): StoreUnavailableError {
    const { address, reason } = this.#link ?? {}
    const text = reason === undefined ? said : `${reason}; ${said}`
    return new StoreUnavailableError(this.#store, text, { cause, address, since: this.#failingSince })
  }

  #noteEnd(): void {
    if (this.#isCountedOpen) this.#onOutage(undefined)
    this.#countOpen(false)
  }

  /** Half open counts as open: the store has not answered yet. */
  #countOpen(isOpen: boolean): void {
    if (isOpen === this.#isCountedOpen) return
    this.#isCountedOpen = isOpen
    this.#metrics.add(this.#openGauge, isOpen ? 1 : -1)
  }

  async #withDeadline<T>(call: () => Promise<T>, timeoutMs: number): Promise<T> {
    const beganAtMs = performance.now()
    const before = this.#failuresInARow
    let failure: unknown
    try {
      return await withRetry(singleAttempt(timeoutMs), { operation: `a call to ${this.#store}` }, call)
    } catch (cause) {
      failure = this.#toFailure(cause, timeoutMs)
      throw failure
    } finally {
      const isOk = !isOutageOf(this.#store, failure)
      this.#metrics.observe(this.#layer, 'call', isOk ? 'ok' : 'error', performance.now() - beganAtMs)
      if (isOk) {
        this.#failuresInARow = 0
        this.#failingSince = undefined
      } else this.#noteFailure(before)
    }
  }

  #toFailure(cause: unknown, timeoutMs: number): unknown {
    const failure = hasCode(cause, 'TIMEOUT') ? this.#toLateness(cause, timeoutMs) : cause
    if (!isOutageOf(this.#store, failure)) return failure
    const outage = failure as StoreUnavailableError
    this.#failingSince ??= outage.since
    return outage.with({ since: this.#failingSince })
  }
}

/** A store cannot be reached, or is too slow; whatever else it answers, it is there. */
export function isOutage(error: unknown): boolean {
  return hasCode(error, 'STORE_UNAVAILABLE')
}

export function isOutageOf(store: string, error: unknown): boolean {
  return isOutage(error) && (error as StoreUnavailableError).store === store
}
