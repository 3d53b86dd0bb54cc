import { LEASE_MS } from './sim-process.js'
import type { Caller, World } from './world.js'

/** Instants on the clocks of both servers. */
type Ends = Record<'redis' | 'mongo', number>

/** The lease that was granted last, as its owner knows it: counted from before it asked for it. */
export class Leases {
  readonly #world: World
  #holder: Caller | undefined
  #ends: Ends = { redis: 0, mongo: 0 }

  constructor(world: World) {
    this.#world = world
  }

  /** When a lease that is asked for now ends at the earliest. */
  next(): Ends {
    return { redis: this.#world.now('redis') + LEASE_MS, mongo: this.#world.now('mongo') + LEASE_MS }
  }

  grant(holder: Caller, ends: Ends): void {
    this.#holder = holder
    this.#ends = ends
  }

  /** The lease may end at any time: Redis has lost it, and MongoDB may not have its last renewal. */
  forget(): void {
    this.#holder = undefined
  }

  /** Who has a lease that lasts by both clocks. */
  get holder(): Caller | undefined {
    const lasts = this.#world.now('redis') < this.#ends.redis && this.#world.now('mongo') < this.#ends.mongo
    return lasts ? this.#holder : undefined
  }
}
