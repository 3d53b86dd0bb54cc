const LINES_EVERY_MS = 10_000
const REFRESH_EVERY_MS = 200

/** How far a command is: one line that changes where stderr is a terminal, else a line now and then. */
export class Progress {
  readonly #what: string
  readonly #total: number | undefined
  readonly #isTerminal = process.stderr.isTTY === true
  readonly #startedMs = performance.now()
  #done = 0
  #shownMs: number

  /** `what`: the plural of what is counted. `total`: `undefined` while it is not known. */
  constructor(what: string, total: number | undefined) {
    this.#what = what
    this.#total = total
    this.#shownMs = this.#startedMs
  }

  advance(): void {
    this.reach(this.#done + 1)
  }

  reach(done: number): void {
    this.#done = done
    const nowMs = performance.now()
    if (nowMs - this.#shownMs < (this.#isTerminal ? REFRESH_EVERY_MS : LINES_EVERY_MS)) return
    this.#shownMs = nowMs
    const line = this.#describe(nowMs)
    process.stderr.write(this.#isTerminal ? `\r${line}\x1b[K` : `${line}\n`)
  }

  /** Removes the line from a terminal. */
  end(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K')
  }

  #describe(nowMs: number): string {
    const perSecond = (this.#done * 1000) / Math.max(1, nowMs - this.#startedMs)
    const rate = `${perSecond.toFixed(1)} a second`
    if (this.#total === undefined) return `${this.#done} ${this.#what}, ${rate}`
    const left = Math.ceil((this.#total - this.#done) / perSecond)
    return `${this.#done} of ${this.#total} ${this.#what}, ${rate}, ${left} s left`
  }
}
