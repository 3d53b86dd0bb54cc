import CircuitBreaker from 'opossum'
import type { StoreUnavailableError } from '../../core/errors.js'
import type { GaugeName, Layer, Metrics } from '../../core/metrics.js'
import { singleAttempt, withRetry } from '../../core/retry.js'
import type { ServerLink } from '../../core/server-link.js'
import { type CircuitBreakerStats, toStats } from './breaker-stats.js'
import { isOutageOf, Outage } from './outage.js'

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
  /** Asked before each call: what it returns has to be done first. */
  prepare: (() => Promise<void> | undefined) | undefined
  readonly #store: string
  readonly #timeoutMs: number
  readonly #layer: Layer
  readonly #openGauge: GaugeName
  readonly #metrics: Metrics
  readonly #isConnecting: () => boolean
  readonly #isLastResort: () => boolean
  readonly #outage: Outage
  readonly #onOutage: (outage: StoreUnavailableError | undefined) => void
  readonly #circuit: CircuitBreaker<[call: () => Promise<unknown>], unknown>
  #failuresInARow = 0
  #isCountedOpen = false
  #isProbing = false

  constructor(options: BreakerOptions) {
    const { store, resetMs, windowMs } = options
    this.#store = store
    this.#timeoutMs = options.timeoutMs
    this.#layer = options.layer
    this.#openGauge = options.openGauge
    this.#metrics = options.metrics
    this.#isConnecting = options.isConnecting ?? (() => false)
    this.#isLastResort = options.isLastResort ?? (() => false)
    this.#outage = new Outage({ store, resetMs, link: options.link })
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
      if (!this.#isCountedOpen) this.#onOutage(this.#outage.toRefusal())
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
    return toStats(this.#circuit.stats)
  }

  /** Throws what the call throws; `STORE_UNAVAILABLE` while the breaker is open, and if the call takes too long. */
  async run<T>(call: () => Promise<T>, timeoutMs = this.#patienceMs): Promise<T> {
    if (this.#circuit.halfOpen && this.#isConnecting()) throw this.#outage.toRefusal()
    if (this.isOpen && !this.#isProbing && this.#isLastResort()) return this.#probe(call, timeoutMs)
    try {
      return (await this.#circuit.fire(() => this.#withDeadline(call, timeoutMs))) as T
    } catch (error) {
      if (!CircuitBreaker.isOurError(error as Error)) throw error
      throw this.#outage.toRefusal()
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
      const prepared = () => this.prepare?.()?.then(call) ?? call()
      return await withRetry(singleAttempt(timeoutMs), { operation: `a call to ${this.#store}` }, prepared)
    } catch (cause) {
      failure = this.#outage.toFailure(cause, timeoutMs)
      throw failure
    } finally {
      const isOk = !isOutageOf(this.#store, failure)
      this.#metrics.observe(this.#layer, 'call', isOk ? 'ok' : 'error', performance.now() - beganAtMs)
      if (isOk) {
        this.#failuresInARow = 0
        this.#outage.end()
      } else this.#noteFailure(before)
    }
  }
}
