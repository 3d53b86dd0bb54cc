/** Calls that have not ended. */
export class InFlight {
  readonly #calls = new Set<Promise<unknown>>()

  async run<T>(call: () => Promise<T>): Promise<T> {
    const running = call()
    this.#calls.add(running)
    try {
      return await running
    } finally {
      this.#calls.delete(running)
    }
  }

  get isNone(): boolean {
    return this.#calls.size === 0
  }

  /** Waits for the calls in flight now, however they end. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#calls)
  }

  /** Waits until there is no call in flight. That stays true until the caller awaits something else. */
  async end(): Promise<void> {
    while (!this.isNone) await this.settle()
  }
}
