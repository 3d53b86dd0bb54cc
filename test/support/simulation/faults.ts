import { names, SESSION } from './sim-process.js'
import type { Side, World } from './world.js'

const SIDES = ['redis', 'mongo'] as const
/** Of a server that is away, before each action. */
const RECOVERY = 0.2
const MAX_JUMP_MS = 300_000

export interface FaultOptions {
  /** An operator sets the clock of a server. */
  clocksJump: boolean
  /** Redis has lost what it kept of the session. */
  onEviction: () => void
}

/** What happens to the servers, for all processes. */
export class Faults {
  readonly #world: World
  readonly #options: FaultOptions
  /** Redis as a replica knows it. */
  #replica: ReturnType<World['redis']['snapshot']> = new Map()

  constructor(world: World, options: FaultOptions) {
    this.#world = world
    this.#options = options
  }

  recover(): void {
    const { servers, random } = this.#world
    for (const side of SIDES) {
      if (servers[side] !== 'up' && random.chance(RECOVERY)) this.#changeServer(side)
    }
  }

  /** `dice`: from 0 to below 1. */
  strike(dice: number): void {
    const { random, redis } = this.#world
    if (dice < 0.63) this.#changeServer(random.pick(SIDES))
    else if (dice < 0.76) this.#evict()
    else if (dice >= 0.86) this.#replica = redis.snapshot()
    else if (this.#options.clocksJump)
      this.#world.jumpClock(random.pick(SIDES), random.whole(2 * MAX_JUMP_MS) - MAX_JUMP_MS)
  }

  /** Redis fails over to an older replica, or loses all; a replica from before may take over yet. */
  rewindRedis(): void {
    const isWiped = this.#world.random.chance(1 / 3)
    this.#world.redis.restore(isWiped ? new Map() : this.#replica)
    this.#world.note(isWiped ? 'redis is wiped' : 'redis fails over to an older replica')
    this.#world.jumpClock('redis', 1) // no failover is over within a millisecond
  }

  /**
   * Whether the server that is there has all that was acknowledged: where it has not, an opening without the other one
   * goes back, which docs/hybrid.md says.
   */
  isOneEnough(): boolean {
    const { redis, mongo, servers } = this.#world
    const [creds, , outbox = ''] = names.of(SESSION)
    const hot = Number(redis.run('HGET', creds, 'version') ?? 0)
    const durable = Number(mongo.find({ _id: `${SESSION}/` })[0]?.v ?? 0)
    if (servers.mongo !== 'up') return hot >= durable
    return durable >= hot && redis.run('HLEN', outbox) === 0
  }

  #changeServer(side: Side): void {
    const { servers, random } = this.#world
    servers[side] = servers[side] === 'up' ? random.pick(['down', 'frozen'] as const) : 'up'
    this.#world.note(`${side} is ${servers[side]}`)
  }

  #evict(): void {
    const [creds, keys] = names.of(SESSION)
    const evicted = this.#world.random.pick([[creds], [keys], [creds, keys]])
    for (const key of evicted) this.#world.redis.run('DEL', key)
    this.#options.onEviction()
    this.#world.note(`evicted: ${evicted.join(' ')}`)
  }
}
