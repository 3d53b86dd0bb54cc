const FIRST_MS = 1000
/** What keeps failing is tried again after twice as long each time, up to this. */
const MAX_MS = 16_000

/** Runs something later, and again in ever longer intervals until it succeeds; not while `isBarred` says so. */
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

  /** At once, and with the shortest interval from now on. */
  runNow(): void {
    this.#pauseMs = FIRST_MS
    clearTimeout(this.#timer)
    this.#start(0)
  }

  /** `ms`: by default what the failures so far ask for. A run that is due already is not put off. */
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
