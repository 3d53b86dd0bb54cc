const FIRST_MS = 1000
/** The pause doubles with each failure, up to this. */
const MAX_MS = 16_000

/** Runs an action later, and repeats it at growing intervals until it succeeds. Does not run it while `isBarred()`. */
export class RetryTimer {
  readonly #run: () => Promise<void>
  readonly #isBarred: () => boolean
  #timer: NodeJS.Timeout | undefined
  #pauseMs = FIRST_MS
  #isClosed = false

  constructor(run: () => Promise<void>, isBarred: () => boolean) {
    this.#run = run
    this.#isBarred = isBarred
  }

  /** Runs at once, and resets the interval. */
  runNow(): void {
    this.#pauseMs = FIRST_MS
    clearTimeout(this.#timer)
    this.#start(0)
  }

  /** `ms`: the pause; by default it grows with the failures so far. Does not postpone a run that is already due. */
  runLater(ms = this.#pauseMs): void {
    if (this.#timer === undefined) this.#start(ms)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #start(ms: number): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#isBarred()) this.runLater(FIRST_MS)
      else this.#runOnce()
    }, ms)
    this.#timer.unref()
  }

  #runOnce(): void {
    this.#run().then(
      () => {
        this.#pauseMs = FIRST_MS
      },
      () => {
        this.#pauseMs = Math.min(2 * this.#pauseMs, MAX_MS)
        this.runLater()
      },
    )
  }
}
