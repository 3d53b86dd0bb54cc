/** A clock of this process may be wrong by days; the time is stepped under it by whoever mends it. */
const SYNC_EVERY_MS = 60_000

/** The time of the server, carried on by this process's monotonic clock. */
export class ServerClock {
  readonly #ask: () => Promise<Date | undefined>
  #serverMs: number | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY

  constructor(ask: () => Promise<Date | undefined>) {
    this.#ask = ask
  }

  /** Asks the server when it was last asked over a minute ago: a machine that slept has lost time. */
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
