import type { Backend } from '../../src/core/backend.js'
import { StoreUnavailableError } from '../../src/index.js'
import { deferred } from './deferred.js'

type Method = keyof Backend

export interface Gate {
  /** Resolves when a call has come to the gate. */
  readonly reached: Promise<void>
  open(): void
}

/** A real backend whose calls are counted and can be made to fail, as they do when the database is out of reach. */
export class FaultyBackend implements Backend {
  readonly calls: Method[] = []
  /** Methods that fail, and how often from now on. */
  readonly #faults = new Map<Method, number>()
  /** Methods that are carried out, and fail. */
  readonly #losses = new Set<Method>()
  /** Methods whose next call waits before it does anything. */
  readonly #gates = new Map<Method, () => Promise<void>>()
  readonly #backend: Backend

  constructor(backend: Backend) {
    this.#backend = backend
  }

  /** `times`: by default until `heal`. */
  fail(method: Method, times = Number.POSITIVE_INFINITY): void {
    this.#faults.set(method, times)
  }

  /** What it asks for is done, and nobody is told, until `heal`. */
  loseAnswers(method: Method): void {
    this.#losses.add(method)
  }

  /** The next call waits until the gate is opened. */
  hold(method: Method): Gate {
    const arrival = deferred<void>()
    const opening = deferred<void>()
    this.#gates.set(method, () => {
      arrival.resolve()
      return opening.promise
    })
    return { reached: arrival.promise, open: () => opening.resolve() }
  }

  heal(): void {
    this.#faults.clear()
    this.#losses.clear()
  }

  count(method: Method): number {
    return this.calls.filter(call => call === method).length
  }

  read = this.#wrap('read')
  readAll = this.#wrap('readAll')
  readHistory = this.#wrap('readHistory')
  summarize = this.#wrap('summarize')
  commit = this.#wrap('commit')
  delete = this.#wrap('delete')
  claim = this.#wrap('claim')
  findEnd = this.#wrap('findEnd')
  lease = this.#wrap('lease')
  touch = this.#wrap('touch')
  list = this.#wrap('list')
  listFields = this.#wrap('listFields')
  isHealthy = this.#wrap('isHealthy')
  close = this.#wrap('close')

  #wrap<M extends Method>(method: M): Backend[M] {
    const call = async (...input: unknown[]): Promise<unknown> => {
      this.calls.push(method)
      const wait = this.#gates.get(method)
      this.#gates.delete(method)
      await wait?.()
      const left = this.#faults.get(method) ?? 0
      this.#faults.set(method, left - 1)
      if (left > 0) throw new StoreUnavailableError('The database', 'it was made to fail.')
      const answer = await (this.#backend[method] as (...passed: unknown[]) => Promise<unknown>)(...input)
      if (this.#losses.has(method)) throw new StoreUnavailableError('The database', 'its answer was lost.')
      return answer
    }
    return call as Backend[M]
  }
}
