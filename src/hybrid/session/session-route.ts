import type { Guard } from '../../core/backend.js'
import { InFlight } from '../../core/in-flight.js'
import type { HighestVersions } from '../../core/store/highest-versions.js'
import { SessionColdError } from '../../redis/protocol-errors.js'
import { isOutage } from '../breaker/outage.js'
import { isTakenTwice } from './compare.js'
import { Dirty } from './dirty.js'

export interface Taken {
  readonly version: number
  /** Whether it changed the session. */
  readonly isEntered: boolean
  /** Whether it was carried out before. */
  readonly isRepeated: boolean
}

export interface TakenOnce {
  /** Whether Redis had given the version before. */
  readonly isTwice: boolean
}

/**
 * The way of a session's writes in this process, and the reasons not to believe Redis:
 *
 *     together ──( a write past Redis · two histories · a write that came late )──► apart
 *     apart    ──( an alignment that began after the last of these finds both in step )──► together
 *
 * I8: while the session is apart, no write goes through Redis. docs/hybrid-protocol.md has the invariants.
 */
export class SessionRoute {
  readonly #sessionId: string
  readonly #apart = new Dirty()
  readonly #throughRedis = new InFlight()
  readonly #pastRedis = new InFlight()
  #unanswered = 0
  /** The highest version of each session that Redis is known to have given. */
  readonly #taken: HighestVersions
  #mustReload = false
  #barrier: Guard | undefined

  constructor(sessionId: string, taken: HighestVersions) {
    this.#sessionId = sessionId
    this.#taken = taken
  }

  get isApart(): boolean {
    return this.#apart.isSet
  }

  /** Two histories have met: Redis has lost writes and taken others since, so it differs from the durable store. */
  get mustReload(): boolean {
    return this.#mustReload
  }

  /** The guard of a write past Redis that ended in an outage: the durable store may still be asked to carry it out. */
  get barrier(): Guard | undefined {
    return this.#barrier
  }

  /** Whether Redis may have answered a write of this process whose answer no code has examined yet. */
  get hasUnanswered(): boolean {
    return this.#unanswered > 0
  }

  get isIdle(): boolean {
    const isQuiet = this.#throughRedis.isNone && this.#pastRedis.isNone
    return isQuiet && !this.isApart && this.#barrier === undefined
  }

  noteApart(): void {
    this.#apart.note()
  }

  /** Two histories of the session have met. */
  noteFork(): void {
    this.#mustReload = true
    this.noteApart()
  }

  noteLoaded(): void {
    this.#mustReload = false
  }

  /** That write cannot be carried out any more. Keeps the barrier of a later one. */
  liftBarrier(barrier: Guard): void {
    if (this.#barrier === barrier) this.#barrier = undefined
  }

  /** Throws `COLD` while the session is apart. */
  throughRedis<T>(write: () => Promise<T>): Promise<T> {
    if (this.isApart) throw new SessionColdError({ sessionId: this.#sessionId })
    return this.#throughRedis.run(write)
  }

  /** I6: a write that Redis may still take must not come after a write past Redis, at a lower version. */
  untilRedisIsQuiet(): Promise<void> {
    return this.#throughRedis.end()
  }

  /** A write past Redis that ends in an outage may still be carried out: the next alignment prevents that. */
  async pastRedis<T>({ fencingToken }: Guard, write: () => Promise<T>): Promise<T> {
    this.noteApart()
    try {
      return await this.#pastRedis.run(write)
    } catch (error) {
      if (isOutage(error)) this.#barrier = { fencingToken }
      throw error
    }
  }

  /** The result marks the session as in step, unless a new reason came up after this call. */
  async beginAligning(): Promise<() => void> {
    await this.#pastRedis.end()
    return this.#apart.begin()
  }

  /**
   * Sends a write to Redis. If Redis gives it a version that was taken before, Redis has lost writes: two histories
   * have met, and the route is marked before any later answer of Redis is examined. `seen`: the highest version known.
   * Answers on a connection come in order: what this process saw of Redis before this answer was there before this
   * write.
   */
  async take<T extends Taken>(seen: () => number, write: () => Promise<T>): Promise<T & TakenOnce> {
    this.#unanswered++
    try {
      const taken = await write()
      const highest = Math.max(this.#taken.of(this.#sessionId), seen())
      const isTwice = taken.isEntered && isTakenTwice(taken, highest)
      if (taken.isEntered) this.noteTaken(taken.version)
      if (isTwice) this.noteFork()
      return { ...taken, isTwice }
    } finally {
      this.#unanswered--
    }
  }

  /** Redis has given this version to a write, of whatever process. */
  noteTaken(version: number): void {
    this.#taken.note(this.#sessionId, version)
  }
}
