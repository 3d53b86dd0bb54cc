import { randomUUID } from 'node:crypto'
import type { BackendDeletion, Deletion, Guard } from '../core/backend.js'
import type { DurableHead } from '../core/durable-backend.js'
import { FencedError, hasCode, SessionIncompleteError } from '../core/errors.js'
import { formatForks } from '../core/store/histories.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import { compare, isLostInPart, knowsAll, type RedisView } from './compare.js'
import { Contention, toOvertaken } from './contention.js'
import type { DurableSide } from './durable-side.js'
import type { OutboxApplier } from './outbox-applier.js'
import type { RedisSide } from './redis-side.js'
import type { SessionState, SessionStates } from './session-state.js'

export interface AlignerParts {
  redis: RedisSide
  durable: DurableSide
  applier: OutboxApplier
  states: SessionStates
  memory: SessionMemory
  /** Of one call of the store. */
  timeoutMs: number
}

/** What a database tells of a session that it has never heard of. */
const NOTHING: DurableHead = {
  exists: false,
  version: 0,
  fence: 0,
  updatedAtMs: 0,
  incarnation: '',
  operation: '',
}

/** What both databases have said last, at one version. */
export interface Aligned {
  peek: RedisView
  head: DurableHead
}

/**
 * Brings Redis and MongoDB to the same version of a session: first what waits in the outbox goes to MongoDB, then
 * whoever is behind is given what the other one has.
 */
export class Aligner {
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #applier: OutboxApplier
  readonly #states: SessionStates
  readonly #memory: SessionMemory
  readonly #timeoutMs: number
  readonly #underWay = new Map<string, Promise<Aligned>>()

  constructor({ redis, durable, applier, states, memory, timeoutMs }: AlignerParts) {
    this.#timeoutMs = timeoutMs
    this.#redis = redis
    this.#durable = durable
    this.#applier = applier
    this.#states = states
    this.#memory = memory
  }

  /** Throws `STORE_UNAVAILABLE` unless both answer. Who calls while it is under way gets the same result. */
  align(sessionId: string): Promise<Aligned> {
    const known = this.#underWay.get(sessionId)
    if (known) return known
    const aligned = this.#states
      .use(sessionId, state => this.#align(sessionId, state))
      .finally(() => this.#underWay.delete(sessionId))
    this.#underWay.set(sessionId, aligned)
    return aligned
  }

  /** As `align`, and all that it finds is from after this call. */
  async alignAnew(sessionId: string): Promise<Aligned> {
    await this.#underWay.get(sessionId)?.catch(() => {})
    return this.align(sessionId)
  }

  /** For who has Redis' part of the session as it is, and wants it to be loaded for the next call. */
  alignLater(sessionId: string): void {
    this.align(sessionId).catch(() => {}) // the next call finds the same, and tries again
  }

  /** Throws `SESSION_INCOMPLETE` where MongoDB has never heard of a session that Redis has a part of. */
  async assertNotLost(sessionId: string, durable: DurableHead): Promise<void> {
    if (isLostInPart(await this.#redis.peek(sessionId), durable))
      throw new SessionIncompleteError({ sessionId })
  }

  /** For who deletes a session that neither of the two has whole. */
  async discardParts(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    const { fencingToken } = deletion
    return await this.#states.use(sessionId, async state => {
      const peek = await this.#redis.peek(sessionId)
      if (fencingToken !== undefined && fencingToken < peek.fence) {
        throw new FencedError(fencingToken, peek.fence, { sessionId })
      }
      const deleted = await this.#durable.delete(sessionId, { ...deletion, seenVersion: undefined })
      if (peek.state !== 'cold') return deleted
      // What is left of it in Redis would be taken for half a session.
      if (await this.#loadIntoRedis(sessionId, peek, state)) return deleted
      throw toOvertaken(sessionId)
    })
  }

  async #align(sessionId: string, state: SessionState): Promise<Aligned> {
    let foundAhead: number | undefined
    const contention = new Contention(sessionId, this.#timeoutMs)
    for (;;) {
      await state.bypassing.end()
      const heal = state.beginHealing()
      if (state.lostBypass) await this.#forestall(sessionId, state, state.lostBypass)
      await this.#applier.drain(sessionId)
      const peek = await this.#redis.peek(sessionId)
      const head = await this.#readDurable(sessionId, peek)
      switch (compare(peek, head, state.hasForked)) {
        case 'in step':
          // What comes late leaves the version as it is: no later read would tell that it has come.
          if (state.isBehind) this.#memory.cache?.of(sessionId)?.reset(peek.version)
          this.#memory.hotVersions.note(sessionId, peek.version) // MongoDB has all that was seen in Redis before
          heal()
          return { peek, head }
        case 'partial':
          throw new SessionIncompleteError({ sessionId })
        case 'restore the durable store':
          // Once, it may be ahead by a write that is on its way.
          if (foundAhead === peek.version) await this.#restoreDurable(sessionId, peek, head)
          foundAhead = peek.version
          break
        case 'raise the durable fence':
          await this.#durable.raiseFence(sessionId, peek.fence)
          break
        case 'load Redis':
          if (await this.#loadIntoRedis(sessionId, peek, state)) state.hasForked = false
      }
      await contention.pause()
    }
  }

  /** Fields without a head count as nothing where Redis has all of the session, or knows of its end. */
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
   * A write past Redis whose answer was lost may reach MongoDB at any later time. It is a compare-and-set on the head:
   * another version there, and it cannot be carried out any more.
   */
  async #forestall(sessionId: string, state: SessionState, lost: Guard): Promise<void> {
    const { exists, isPart, version } = await this.#durable.readHead(sessionId)
    const barrier = {
      ...lost,
      writes: [],
      operationId: randomUUID(),
      above: version,
      expectedVersion: version,
    }
    try {
      if (exists && !isPart) await this.#durable.commit(sessionId, barrier) // else that version is gone
    } catch (error) {
      // Another one has changed the head, or owns the session.
      if (!hasCode(error, 'VERSION_MISMATCH') && !hasCode(error, 'FENCED')) throw error
    }
    if (state.lostBypass === lost) state.lostBypass = undefined // else another one has been lost meanwhile
  }

  /** `false`: it has changed meanwhile. */
  async #loadIntoRedis(sessionId: string, peek: RedisView, { parked }: SessionState): Promise<boolean> {
    const session = await this.#durable.readWhole(sessionId)
    return this.#redis.install(sessionId, peek, session, parked)
  }

  /** MongoDB has gone back, as after a restore, or has let the session expire: all of it is written again. */
  async #restoreDurable(
    sessionId: string,
    { state, version, fence, updatedAtMs }: RedisView,
    durable: DurableHead,
  ): Promise<void> {
    const id = `align.${version}.${updatedAtMs}`
    // One that Redis has kept alive begins a whole life.
    const operation = { id, version, updatedAtMs: durable.exists ? updatedAtMs : Date.now() }
    const application = { version, fencingToken: fence, operations: [operation] }
    if (state === 'deleted') {
      await this.#durable.apply(sessionId, { ...application, kind: 'deletion' }, [])
      return
    }
    const { head, fields } = await this.#redis.readAll(sessionId)
    if (!head.exists || head.version !== version) return // it has changed; another round sees as what
    const { forks } = await this.#redis.readHistory(sessionId, [])
    const history = { incarnation: head.incarnation, forks: formatForks(forks) }
    const whole = { ...application, kind: 'session', history } as const
    await this.#durable.apply(sessionId, whole, fields)
  }
}
