import type { History, WriteRecord } from './history.js'
import type { World } from './world.js'

type Instants = Record<'redis' | 'mongo', number>

/** Tells the history when the session may have come to its end, by the clock of either server. */
export class Lifetime {
  readonly #world: World
  readonly #history: History
  readonly #ttlMs: number
  #since: Instants
  #end: WriteRecord | undefined

  constructor(world: World, history: History, ttlMs: number) {
    this.#world = world
    this.#history = history
    this.#ttlMs = ttlMs
    this.#since = this.now()
  }

  now(): Instants {
    return { redis: this.#world.now('redis'), mongo: this.#world.now('mongo') }
  }

  /** Whether its owner may hear that the session is gone, at least in part. */
  get mayBeOver(): boolean {
    return this.#end !== undefined
  }

  /** `owner` has opened the session or written, in a call that began at `since`. The session is whole again. */
  renew(since: Instants, owner: number): void {
    if (this.#end?.owner === owner) this.#end.outcome = 'refused'
    this.#since = since
    this.#end = undefined
  }

  /** Looks at the clocks. */
  check(): void {
    const now = this.now()
    const isOver = Math.max(now.redis - this.#since.redis, now.mongo - this.#since.mongo) >= this.#ttlMs
    if (!isOver || this.#end) return
    this.#world.note('the session may have expired')
    this.#end = this.#history.beginExpiry()
  }
}
