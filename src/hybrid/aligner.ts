import { randomUUID } from 'node:crypto'
import type { BackendDeletion, Commit, Deletion, Guard } from '../core/backend.js'
import type { DurableHead } from '../core/durable-backend.js'
import { FencedError, hasCode, SessionIncompleteError } from '../core/errors.js'
import { endedToken } from '../core/store/guard.js'
import { formatForks } from '../core/store/histories.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import { isAhead, isCold } from '../redis/protocol-errors.js'
import { BYPASS_STEP, compare, isLostInPart, knowsAll, type RedisView } from './compare.js'
import { Contention, overtakenError } from './contention.js'
import type { DurableSide } from './durable-side.js'
import type { OutboxRelay } from './outbox-relay.js'
import type { RedisSide } from './redis-side.js'
import type { SessionRoute } from './session-route.js'
import type { SessionState, Sessions } from './sessions.js'

export interface AlignerParts {
  redis: RedisSide
  durable: DurableSide
  relay: OutboxRelay
  sessions: Sessions
  memory: SessionMemory
  /** The deadline of one call of the store. */
  timeoutMs: number
}

/** What a database answers for a session that it has never heard of. */
const NOTHING: DurableHead = {
  exists: false,
  version: 0,
  fence: 0,
  updatedAtMs: 0,
  incarnation: '',
  operation: '',
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
  readonly #sessions: Sessions
  readonly #memory: SessionMemory
  readonly #timeoutMs: number
  readonly #underWay = new Map<string, Promise<Aligned>>()

  constructor({ redis, durable, relay, sessions, memory, timeoutMs }: AlignerParts) {
    this.#timeoutMs = timeoutMs
    this.#redis = redis
    this.#durable = durable
    this.#relay = relay
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

  /** Throws `SESSION_INCOMPLETE` if Redis has a part of a session that MongoDB has never heard of. */
  async assertNotLost(sessionId: string, durable: DurableHead): Promise<void> {
    if (isLostInPart(await this.#redis.peek(sessionId), durable))
      throw new SessionIncompleteError({ sessionId })
  }

  /** Deletes a session of which neither database has the whole. */
  async discardParts(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    const { fencingToken } = deletion
    return await this.#sessions.use(sessionId, async state => {
      const peek = await this.#redis.peek(sessionId)
      if (fencingToken !== undefined && fencingToken < peek.fence) {
        throw new FencedError(fencingToken, peek.fence, { sessionId })
      }
      const deleted = await this.#durable.delete(sessionId, { ...deletion, seenVersion: undefined })
      if (peek.state !== 'cold') return deleted
      // The next reader would take the remains in Redis for half a session.
      if (await this.#loadIntoRedis(sessionId, peek, state)) return deleted
      throw overtakenError(sessionId)
    })
  }

  async #align(sessionId: string, state: SessionState): Promise<Aligned> {
    const { route } = state
    let foundAhead: number | undefined
    const contention = new Contention(sessionId, this.#timeoutMs)
    for (;;) {
      const markAligned = await route.beginAligning()
      if (route.isApart) await this.#durable.insist(sessionId)
      if (route.barrier) await this.#forestall(sessionId, route, route.barrier)
      await this.#relay.drain(sessionId)
      const peek = await this.#redis.peek(sessionId)
      const head = await this.#readDurable(sessionId, peek)
      switch (compare(peek, head, route.mustReload)) {
        case 'in step':
          // A late write does not change the session's version, so no later read would show that it has come.
          if (route.isApart) this.#memory.cache?.of(sessionId)?.reset(peek.version)
          this.#memory.hotVersions.note(sessionId, peek.version) // MongoDB has all that was seen in Redis before
          route.noteTaken(peek.version)
          markAligned()
          return { peek, head }
        case 'partial':
          throw new SessionIncompleteError({ sessionId })
        case 'restore the durable store':
          // At first sight, Redis may be ahead by a write that is on its way.
          if (foundAhead === peek.version) await this.#restoreDurable(sessionId, peek, head)
          foundAhead = peek.version
          break
        case 'raise the durable fence':
          await this.#durable.raiseFence(sessionId, peek.fence)
          break
        case 'load Redis':
          // I9: another process may have written since the drain above. Its entry could reach MongoDB after the session
          // is read there, and leave the outbox before `install`, which would then take the write out of Redis.
          await this.#relay.drain(sessionId)
          if (await this.#loadIntoRedis(sessionId, peek, state)) route.noteLoaded()
      }
      await contention.pause()
    }
  }

  /** Ignores fields without a head where Redis has all of the session, or knows of its end. */
  async #readDurable(sessionId: string, peek: RedisView): Promise<DurableHead> {
    try {
      return await this.#durable.readHead(sessionId)
    } catch (error) {
      if (!hasCode(error, 'SESSION_INCOMPLETE')) throw error
      if (!knowsAll(peek, await this.#durable.highestVersion(sessionId))) throw error
      return NOTHING
    }
  }

  /**
   * Prevents a write past Redis whose answer was lost: MongoDB may still be asked to carry it out at any time. That
   * write is a compare-and-set on the head, so it fails once the head has another version.
   */
  async #forestall(sessionId: string, route: SessionRoute, lost: Guard): Promise<void> {
    const { exists, isPart, version } = await this.#durable.readHead(sessionId)
    const barrier = {
      ...lost,
      writes: [],
      operationId: randomUUID(),
      above: version,
      expectedVersion: version,
      step: BYPASS_STEP, // one version more may be that of a write that waits in Redis: `covers` would take it for there
    }
    try {
      if (exists && !isPart) await this.#durable.commit(sessionId, barrier) // else that version is gone
    } catch (error) {
      // Another process has changed the head, or owns the session.
      if (!hasCode(error, 'VERSION_MISMATCH') && !hasCode(error, 'FENCED')) throw error
    }
    route.liftBarrier(lost)
  }

  /** `false`: Redis has changed meanwhile. */
  async #loadIntoRedis(sessionId: string, peek: RedisView, { backlog }: SessionState): Promise<boolean> {
    const session = await this.#durable.readWhole(sessionId)
    return this.#redis.install(sessionId, peek, session, backlog.passedOver)
  }

  /** Writes all of a session again: MongoDB has gone back in time, e.g. by a restored backup, or has let it expire. */
  async #restoreDurable(
    sessionId: string,
    { state, version, fence, updatedAtMs }: RedisView,
    durable: DurableHead,
  ): Promise<void> {
    const id = `align.${version}.${updatedAtMs}`
    // A session that only Redis has kept alive gets a full life in MongoDB.
    const operation = { id, version, updatedAtMs: durable.exists ? updatedAtMs : Date.now() }
    const application = { version, fencingToken: fence, operations: [operation] }
    if (state === 'deleted') {
      const deletion = { ...application, kind: 'deletion', fencingToken: endedToken(fence) } as const
      await this.#durable.apply(sessionId, deletion, [])
      return
    }
    const { head, fields } = await this.#redis.readAll(sessionId)
    if (!head.exists || head.version !== version) return // it has changed; the next round compares again
    const { forks } = await this.#redis.readHistory(sessionId, [])
    const history = { incarnation: head.incarnation, forks: formatForks(forks) }
    const whole = { ...application, kind: 'session', history } as const
    await this.#durable.apply(sessionId, whole, fields)
  }
}
