import { LEASE_MS } from './sim-process.js'
import type { Caller, World } from './world.js'

/** A lease that was asked for, with its end on the clocks of both servers: counted from the question. */
interface Lease {
  ends: Record<'redis' | 'mongo', number>
  /** Redis may have lost it, and MongoDB may not have its last renewal. */
  mayBeLost: boolean
}

/** Leases as their owners know them. */
export class Leases {
  readonly #world: World
  #asked: Lease[] = []
  #granted: { holder: Caller; lease: Lease } | undefined

  constructor(world: World) {
    this.#world = world
  }

  ask(): Lease {
    const endOn = (side: 'redis' | 'mongo') => this.#world.now(side) + LEASE_MS
    const ends = { redis: endOn('redis'), mongo: endOn('mongo') }
    const lease = { ends, mayBeLost: false }
    this.#asked.push(lease)
    return lease
  }

  grant(holder: Caller, lease: Lease): void {
    this.#granted = { holder, lease }
  }

  /** Redis has lost what it kept of the session. */
  noteEviction(): void {
    for (const lease of this.#asked) lease.mayBeLost = true
    this.#asked = []
  }

  /** Who has a lease that lasts by both clocks. */
  get holder(): Caller | undefined {
    if (this.#granted === undefined) return undefined
    const { holder, lease } = this.#granted
    const { redis, mongo } = lease.ends
    const lasts = this.#world.now('redis') < redis && this.#world.now('mongo') < mongo
    return lasts && !lease.mayBeLost ? holder : undefined
  }
}
