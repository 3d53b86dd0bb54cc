import { endsWithin } from '../ends-within.js'
import { ClosedError } from '../errors.js'
import { InFlight } from '../in-flight.js'

/** How long a closing store waits, in all, for answers that may never come. */
export const CLOSE_MS = 4000

/** Calls to a server that are under way. Closing waits for them, and refuses new ones. */
export class Calls {
  readonly #name: string
  readonly #toError: (error: unknown) => Error
  readonly #inFlight = new InFlight()
  #isClosed = false

  /** `toError` wraps the error of a call. */
  constructor(name: string, toError: (error: unknown) => Error) {
    this.#name = name
    this.#toError = toError
  }

  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new ClosedError(this.#name)
    try {
      return await this.#inFlight.run(call)
    } catch (error) {
      throw this.#toError(error)
    }
  }

  async close(timeoutMs = CLOSE_MS): Promise<void> {
    this.#isClosed = true
    await endsWithin(timeoutMs, this.#inFlight.settle())
  }
}
