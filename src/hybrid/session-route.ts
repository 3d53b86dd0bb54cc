import type { Guard } from '../core/backend.js'
import { InFlight } from '../core/in-flight.js'
import { SessionColdError } from '../redis/protocol-errors.js'
import { isOutage } from './breaker.js'
import { isTakenTwice } from './compare.js'
import { Dirty } from './dirty.js'

interface Taken {
  readonly version: number
  /** Whether it has changed anything. */
  readonly isEntered: boolean
  /** Whether it had been carried out before. */
  readonly isRepeated: boolean
}

interface TakenOnce {
  /** Whether Redis has given the version twice. */
  readonly isTwice: boolean
}

/**
 * Which way the writes of a session go in this process, and why Redis is not to be believed:
 *
 *     together ──( a write past Redis · two histories · a write that came late )──► apart
 *     apart    ──( an alignment that began after the last of these finds both in step )──► together
 *
 * I8: while they are apart, no write goes through Redis. docs/hybrid-protocol.md has the invariants.
 */
export class SessionRoute {
  readonly #sessionId: string
  readonly #apart = new Dirty()
  readonly #throughRedis = new InFlight()
  readonly #pastRedis = new InFlight()
  #unanswered = 0
  #highestTaken = 0
  #mustReload = false
  #barrier: Guard | undefined

  constructor(sessionId: string) {
    this.#sessionId = sessionId
  }

  get isApart(): boolean {
    return this.#apart.isSet
  }

  /** Redis has lost writes, and has taken others since: what it holds is not what the durable store has. */
  get mustReload(): boolean {
    return this.#mustReload
  }

  /** Of a write past Redis that was given up, and that the durable store may still be asked to carry out. */
  get barrier(): Guard | undefined {
    return this.#barrier
  }

  /** Whether Redis may have answered a write of this process, and nobody has looked at the answer yet. */
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

  /** That write cannot be carried out any more. Another one may have been given up meanwhile. */
  liftBarrier(barrier: Guard): void {
    if (this.#barrier === barrier) this.#barrier = undefined
  }

  /** Throws `COLD` where the two have come apart. */
  throughRedis<T>(write: () => Promise<T>): Promise<T> {
    if (this.isApart) throw new SessionColdError({ sessionId: this.#sessionId })
    return this.#throughRedis.run(write)
  }

  /** I6: what Redis may still take must not come after a write past it, at a lower version. */
  untilRedisIsQuiet(): Promise<void> {
    return this.#throughRedis.end()
  }

  /** A write past Redis that is given up may still be carried out: the next alignment forestalls it. */
  async pastRedis<T>({ fencingToken }: Guard, write: () => Promise<T>): Promise<T> {
    this.noteApart()
    try {
      return await this.#pastRedis.run(write)
    } catch (error) {
      if (isOutage(error)) this.#barrier = { fencingToken }
      throw error
    }
  }

  /** The result says that the two have been found in step, in all that was noted before. */
  async beginAligning(): Promise<() => void> {
    await this.#pastRedis.end()
    return this.#apart.begin()
  }

  /**
   * Has Redis take a write. Where it has given a version that was taken before, it has lost writes since: two histories
   * have met, and that is noted before any later answer of Redis is looked at. `seen`: the highest version known.
   * Answers of a connection come in order: whatever was seen of Redis before this answer was there before this write.
   */
  async take<T extends Taken>(seen: () => number, write: () => Promise<T>): Promise<T & TakenOnce> {
    this.#unanswered++
    try {
      const taken = await write()
      const highest = Math.max(this.#highestTaken, seen())
      const isTwice = taken.isEntered && isTakenTwice(taken, highest)
      if (taken.isEntered) this.#highestTaken = Math.max(highest, taken.version)
      if (isTwice) this.noteFork()
      return { ...taken, isTwice }
    } finally {
      this.#unanswered--
    }
  }
}
