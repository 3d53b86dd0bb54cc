import type { Commit } from '../core/backend.js'
import type { DurableHead } from '../core/durable-backend.js'
import { hasCode, RewoundError, SessionIncompleteError } from '../core/errors.js'
import { LostInPartError } from '../core/store/lost-in-part.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import { isAhead, isCold } from '../redis/protocol-errors.js'
import { Contention } from './contention.js'
import type { DurableSide } from './durable-side.js'
import type { OutboxRelay } from './outbox-relay.js'
import type { RedisSide } from './redis-side.js'
import type { Repairs } from './repairs.js'
import { compare, isLostInPart, missingIn, type RedisView } from './session/compare.js'
import type { SessionState, Sessions } from './session/sessions.js'

export interface AlignerParts {
  redis: RedisSide
  durable: DurableSide
  relay: OutboxRelay
  repairs: Repairs
  sessions: Sessions
  memory: SessionMemory
  /** The deadline of one call of the store. */
  timeoutMs: number
}

/** The last answers of both databases, at one version. */
export interface Aligned {
  peek: RedisView
  head: DurableHead
}

/**
 * Brings Redis and MongoDB to the same version of a session: applies the outbox to MongoDB, then gives the database
 * that is behind what the other one has.
 */
export class Aligner {
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #relay: OutboxRelay
  readonly #repairs: Repairs
  readonly #sessions: Sessions
  readonly #memory: SessionMemory
  readonly #timeoutMs: number
  readonly #underWay = new Map<string, Promise<Aligned>>()

  constructor({ redis, durable, relay, repairs, sessions, memory, timeoutMs }: AlignerParts) {
    this.#timeoutMs = timeoutMs
    this.#redis = redis
    this.#durable = durable
    this.#relay = relay
    this.#repairs = repairs
    this.#sessions = sessions
    this.#memory = memory
  }

  /** Throws `STORE_UNAVAILABLE` unless both answer. Concurrent calls share one run and its result. */
  align(sessionId: string): Promise<Aligned> {
    const known = this.#underWay.get(sessionId)
    if (known) return known
    const aligned = this.#sessions
      .use(sessionId, state => this.#align(sessionId, state))
      .finally(() => this.#underWay.delete(sessionId))
    this.#underWay.set(sessionId, aligned)
    return aligned
  }

  /** Same as `align`, but every answer that it uses is from after this call. */
  async alignAnew(sessionId: string): Promise<Aligned> {
    await this.#underWay.get(sessionId)?.catch(() => {})
    return this.align(sessionId)
  }

  /** Loads the session for the next call; the caller does not wait. */
  alignLater(sessionId: string): void {
    this.align(sessionId).catch(() => {}) // the next call finds the same state and tries again
  }

  /**
   * Runs an action that needs the session in Redis, as new as this process knows it. Loads the session again while
   * others change or evict it, within the deadline of a call. `run` gets the answers of the last alignment, if there
   * was one.
   */
  async withLoaded<T>(
    sessionId: string,
    run: (aligned: Aligned | undefined) => T | Promise<T>,
    { fencingToken, call }: Pick<Commit, 'fencingToken' | 'call'>,
  ): Promise<T> {
    let contention: Contention | undefined
    const isApart = this.#sessions.routeOf(sessionId)?.isApart
    let aligned = isApart ? await this.align(sessionId) : undefined
    for (let loads = 0; ; loads++) {
      try {
        return await run(aligned)
      } catch (error) {
        if (isAhead(error)) this.#memory.noteVersion(sessionId, error.found)
        // As far as this process has seen, with another history: the caller's rewind guard reads it, and loads if it must.
        if (error instanceof RewoundError && error.found >= error.seen) throw error
        // Behind this process, or without the session, even after a load: so is the durable store.
        const isBehind = hasCode(error, 'REWOUND') || hasCode(error, 'SESSION_INCOMPLETE')
        const mustLoad = isCold(error) || (isBehind && loads === 0)
        if (!mustLoad && !isAhead(error)) throw error
        if (contention) await contention.pause(error)
        contention ??= new Contention(sessionId, this.#timeoutMs, call)
        if (!mustLoad) continue
        // Cold to this token even after a load: the durable store has lost the claim as well.
        if (loads > 0 && fencingToken !== undefined) await this.#durable.raiseFence(sessionId, fencingToken)
        aligned = await this.align(sessionId)
      }
    }
  }

  /** Throws `SESSION_INCOMPLETE` if one of the two has a part of the session, and neither has it whole. */
  async assertNotLost(sessionId: string, durable: DurableHead): Promise<void> {
    const peek = await this.#redis.peek(sessionId)
    if (durable.isPart || isLostInPart(peek, durable)) throw toIncomplete(sessionId, peek)
  }

  /** Whether Redis lacks the write that took the durable store's version, though it is at the same version. */
  async #hasDiverged(sessionId: string, peek: RedisView, head: DurableHead): Promise<boolean> {
    const missing = missingIn(peek, head)
    if (missing === undefined) return false
    const now = await this.#redis.peek(sessionId, [missing])
    return now.version === peek.version && missingIn(now, head) !== undefined
  }

  async #align(sessionId: string, state: SessionState): Promise<Aligned> {
    const { route } = state
    let foundAhead: number | undefined
    const contention = new Contention(sessionId, this.#timeoutMs)
    for (;;) {
      const markAligned = await route.beginAligning()
      if (route.isApart) await this.#durable.insist(sessionId)
      if (route.barrier) await this.#repairs.forestall(sessionId, route, route.barrier)
      await this.#relay.drain(sessionId)
      const peek = await this.#redis.peek(sessionId)
      const head = await this.#repairs.readDurable(sessionId, peek)
      switch (compare(peek, head, route.mustReload)) {
        case 'in step':
          if (await this.#hasDiverged(sessionId, peek, head)) {
            route.noteFork()
            break
          }
          // A late write does not change the session's version, so no later read would show that it has come.
          if (route.isApart) this.#memory.cache?.of(sessionId)?.reset(peek.version)
          this.#memory.hotVersions.note(sessionId, peek.version) // MongoDB has all that was seen in Redis before
          route.noteTaken(peek.version)
          markAligned()
          return { peek, head }
        case 'partial':
          throw toIncomplete(sessionId, peek)
        case 'restore the durable store':
          // At first sight, Redis may be ahead by a write that is on its way.
          if (foundAhead === peek.version) await this.#repairs.restoreDurable(sessionId, peek, head)
          foundAhead = peek.version
          break
        case 'raise the durable fence':
          await this.#durable.raiseFence(sessionId, peek.fence)
          break
        case 'load Redis':
          // I9: another process may have written since the drain above. Its entry could reach MongoDB after the session
          // is read there, and leave the outbox before `install`, which would then take the write out of Redis.
          await this.#relay.drain(sessionId)
          if (await this.#repairs.loadRedis(sessionId, peek, state)) route.noteLoaded()
      }
      await contention.pause()
    }
  }
}

/** A heal loads Redis anew, and so must not find there what it would remove. */
function toIncomplete(sessionId: string, { version }: RedisView): SessionIncompleteError {
  return version === 0 ? new LostInPartError({ sessionId }) : new SessionIncompleteError({ sessionId })
}
