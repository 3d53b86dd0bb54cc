import { endsWithin } from './ends-within.js'
import { ClosedError } from './errors.js'

/** A closing store waits so long, with all that it does, for answers that a server out of reach does not give. */
export const CLOSE_MS = 4000

/** Calls to a server that are under way: closing waits for them, and lets no other begin. */
export class Calls {
  readonly #name: string
  readonly #toError: (error: unknown) => Error
  readonly #underWay = new Set<Promise<unknown>>()
  #isClosed = false

  /** `toError` wraps what a call has failed with. */
  constructor(name: string, toError: (error: unknown) => Error) {
    this.#name = name
    this.#toError = toError
  }

  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new ClosedError(this.#name)
    const answer = call()
    this.#underWay.add(answer)
    try {
      return await answer
    } catch (error) {
      throw this.#toError(error)
    } finally {
      this.#underWay.delete(answer)
    }
  }

  async close(timeoutMs = CLOSE_MS): Promise<void> {
    this.#isClosed = true
    await endsWithin(timeoutMs, Promise.allSettled(this.#underWay))
  }
}
