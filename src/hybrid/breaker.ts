import CircuitBreaker from 'opossum'
import { hasCode, StoreUnavailableError } from '../core/errors.js'
import type { GaugeName, Layer, Metrics } from '../core/metrics.js'
import { singleAttempt, withRetry } from '../core/retry.js'
import type { ServerLink } from '../core/server-link.js'

export interface BreakerOptions {
  /** The name of the database in errors. */
  store: string
  layer: Layer
  openGauge: GaugeName
  metrics: Metrics
  /** How long a call may wait for an answer, unless it sets its own time. A slower call counts as a failure. */
  timeoutMs: number
  /** How long the breaker stays open before it is half-open and lets one call try. */
  resetMs: number
  /** The time over which the breaker counts failures. */
  windowMs: number
  /**
   * Whether the client still looks for a server. If so, the half-open breaker refuses a call, which would only wait.
   * Default: no.
   */
  isConnecting?: (() => boolean) | undefined
  /** Whether no other database can answer. If so, one call at a time tries while the breaker is open. Default: no. */
  isLastResort?: (() => boolean) | undefined
  /** The link to the database. Errors say what it knows. */
  link?: ServerLink | undefined
  /** Called once for each outage, and with `undefined` at its end. */
  onOutage?: ((outage: StoreUnavailableError | undefined) => void) | undefined
}

/**
 * The time of a call that reads or writes a whole session of any size. The deadline of the caller may end it sooner.
 */
export const LOADING_MS = 30_000

/**
 * opossum's counters of one window. A call that took too long counts as a failure. `timeouts`, and the counters of
 * features that this library does not use, stay 0.
 */
export interface CircuitBreakerStats {
  /** Calls made. */
  fires: number
  successes: number
  failures: number
  /** Calls refused while the breaker was open. */
  rejects: number
  /** Always 0: a call that took too long counts as a failure. */
  timeouts: number
  fallbacks: number
  semaphoreRejections: number
  cacheHits: number
  cacheMisses: number
}

/** After MIN_CALLS calls in the window, the breaker opens above this share of failures. */
const MAX_ERRORS_PERCENTAGE = 50
const MIN_CALLS = 3
/**
 * This many failures in a row open it as well, because the successes of a busy window would outweigh them for seconds.
 * A failure counts only if its call began after the previous failure: one lost connection fails many calls, and counts
 * once.
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
  /** When the first failure since the last success was. */
  #failingSince: Date | undefined
  /** Why the last call has failed; a success forgets it. */
  #lastReason: string | undefined
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
      timeout: false, // `#withDeadline` sets it: a busy process must not count as a slow store
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

  /** Neither open nor half-open. */
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

  /** Throws what the call throws; `STORE_UNAVAILABLE` while the breaker is open, and if the call takes too long. */
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

  /**
   * Same as `run`, for a question that no other database can answer: one such call at a time tries while the breaker is
   * open.
   */
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

  /** Lets one call try before `resetMs` has passed; others are refused meanwhile. */
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

  /** `before`: the number of failures in a row when the call began. */
  #noteFailure(before: number): void {
    if (before !== this.#failuresInARow || ++this.#failuresInARow < MAX_FAILURES_IN_A_ROW) return
    this.#failuresInARow = 0 // also for tries while it is open, which would otherwise get less and less time
    this.#circuit.open()
  }

  /** Halves with each failure, so that a bot with one call at a time soon finds the outage. */
  get #patienceMs(): number {
    return Math.ceil(this.#timeoutMs / 2 ** this.#failuresInARow)
  }

  #toRefusal(): StoreUnavailableError {
    const said = `its circuit breaker is open; a call tries again ${this.#resetMs} ms after each failure.`
    const reason = this.#link?.reason ?? this.#lastReason
    return this.#toOutage(reason === undefined ? said : `${reason}; ${said}`)
  }

  /** A known connection problem says more than the missing answer. */
  #toLateness(cause: unknown, timeoutMs: number): StoreUnavailableError {
    const { reason, address } = this.#link ?? {}
    if (reason === undefined) return this.#toOutage(`it has not answered within ${timeoutMs} ms.`, cause)
    const known = { cause: this.#link?.cause, address, since: this.#failingSince }
    return new StoreUnavailableError(this.#store, `${reason}.`, known)
  }

  #toOutage(text: string, cause?: unknown): StoreUnavailableError {
    const address = this.#link?.address
    return new StoreUnavailableError(this.#store, text, { cause, address, since: this.#failingSince })
  }

  #noteEnd(): void {
    if (this.#isCountedOpen) this.#onOutage(undefined)
    this.#countOpen(false)
  }

  /** Half-open counts as open: the store has not answered yet. */
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
        this.#lastReason = undefined
      } else this.#noteFailure(before)
    }
  }

  #toFailure(cause: unknown, timeoutMs: number): unknown {
    const failure = hasCode(cause, 'TIMEOUT') ? this.#toLateness(cause, timeoutMs) : cause
    if (!isOutageOf(this.#store, failure)) return failure
    const outage = failure as StoreUnavailableError
    this.#failingSince ??= outage.since
    this.#lastReason = outage.reason
    return outage.with({ since: this.#failingSince })
  }
}

/** The store cannot be reached, or is too slow. Any other error means that it has answered. */
export function isOutage(error: unknown): boolean {
  return hasCode(error, 'STORE_UNAVAILABLE')
}

export function isOutageOf(store: string, error: unknown): boolean {
  return isOutage(error) && (error as StoreUnavailableError).store === store
}
