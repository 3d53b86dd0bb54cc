import { setTimeout as sleep } from 'node:timers/promises'
import { ClosedError } from './errors.js'

/** A closing store waits so long for answers that a server out of reach does not give. */
const CLOSE_MS = 5000

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

  async close(): Promise<void> {
    this.#isClosed = true
    const gaveUp = sleep(CLOSE_MS, undefined, { ref: false })
    await Promise.race([Promise.allSettled(this.#underWay), gaveUp])
  }
}
