/** The clock of a process may be wrong by days, and an operator may set it while the process runs. */
const SYNC_EVERY_MS = 60_000

/** The time of the server, carried on by this process's monotonic clock. */
export class ServerClock {
  readonly #ask: () => Promise<Date | undefined>
  #serverMs: number | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY

  constructor(ask: () => Promise<Date | undefined>) {
    this.#ask = ask
  }

  /**
   * Asks the server if the last answer is over a minute old: the monotonic clock of a sleeping machine stands still.
   */
  async sync(): Promise<void> {
    if (performance.now() - this.#askedAtMs < SYNC_EVERY_MS) return
    const time = await this.#ask()
    this.#askedAtMs = performance.now()
    this.#serverMs = time?.getTime() ?? Date.now()
  }

  /** Milliseconds since the epoch. */
  readonly now = (): number =>
    this.#serverMs === undefined
      ? Date.now()
      : Math.round(this.#serverMs + performance.now() - this.#askedAtMs)
}
