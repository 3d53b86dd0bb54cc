import type { BackendDeletion, Deletion } from '../core/backend.js'
import type { DurableDeletion } from '../core/durable-backend.js'
import { FencedError, hasCode } from '../core/errors.js'
import { endedToken } from '../core/store/guard.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import { overtakenError } from './contention.js'
import type { DurableSide } from './durable-side.js'
import type { Lanes } from './lanes.js'
import type { RedisSide } from './redis-side.js'
import type { Repairs } from './repairs.js'
import { BYPASS_STEP } from './session/compare.js'
import type { Sessions } from './session/sessions.js'

export interface HybridDeleterParts {
  redis: RedisSide
  durable: DurableSide
  lanes: Lanes
  repairs: Repairs
  sessions: Sessions
  memory: SessionMemory
}

/** Deletes sessions, also damaged ones and those of which only a part is left. */
export class HybridDeleter {
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #lanes: Lanes
  readonly #repairs: Repairs
  readonly #sessions: Sessions
  readonly #memory: SessionMemory

  constructor(parts: HybridDeleterParts) {
    this.#redis = parts.redis
    this.#durable = parts.durable
    this.#lanes = parts.lanes
    this.#repairs = parts.repairs
    this.#sessions = parts.sessions
    this.#memory = parts.memory
  }

  async delete(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    try {
      return await this.#lanes.write(
        sessionId,
        deletion,
        () => this.#deleteFromRedis(sessionId, deletion),
        () => this.#deletePastRedis(sessionId, { ...deletion, step: BYPASS_STEP }),
      )
    } catch (error) {
      const isDamaged = hasCode(error, 'CORRUPT_VALUE')
      if (isDamaged && (await this.#redis.outbox.discardForeign(sessionId))) {
        return await this.delete(sessionId, deletion)
      }
      if (!isDamaged && !hasCode(error, 'SESSION_INCOMPLETE')) throw error
      return await this.#discardParts(sessionId, deletion)
    }
  }

  async #deleteFromRedis(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    const { operationId } = deletion
    const taken = await this.#lanes.take(sessionId, belowVersion =>
      this.#redis.delete(sessionId, { ...deletion, belowVersion }),
    )
    const { version, fence, deletedAtMs, operationBefore } = taken
    this.#memory.noteVersion(sessionId, version) // a Redis that has the session again has gone back in time
    const settle = () =>
      this.#lanes.settle(sessionId, deletion, above => this.#durable.delete(sessionId, above))
    if (taken.isTwice) return settle()
    const kind = 'deletion'
    const { fencingToken = endedToken(fence) } = deletion // as in lua/delete.lua
    const write = { version, operationId, fencingToken, updatedAtMs: deletedAtMs, kind, writes: [] } as const
    const hasToken = deletion.fencingToken !== undefined
    try {
      // MongoDB may have a session that Redis has nothing of, and that a load would bring back.
      const applied = taken.hadSession
        ? await this.#lanes.passOn(sessionId, write, operationBefore)
        : await this.#lanes.bring(sessionId, write, operationBefore)
      const durability = applied ? 'durable' : 'outbox'
      if (!applied?.isForked) return { version, fence, operation: operationId, deletedAtMs, durability }
    } catch (error) {
      // A deletion without a token ends the session of any owner, also of one that only MongoDB knows.
      const isDamaged = hasCode(error, 'CORRUPT_VALUE')
      if (!isDamaged && (hasToken || !hasCode(error, 'FENCED'))) throw error
    }
    return settle().catch(error => {
      // MongoDB has a tombstone, of the first attempt or of a later owner's: it refuses the token.
      const isGone = hasToken && error instanceof FencedError && error.current === undefined
      if (!isGone) throw error
      return { version, fence, operation: '', deletedAtMs, durability: 'durable' } as const
    })
  }

  /** Remembers the tombstone's version: a Redis that has the session again has gone back in time. */
  async #deletePastRedis(sessionId: string, deletion: DurableDeletion): Promise<BackendDeletion> {
    const result = await this.#durable.delete(sessionId, deletion)
    const head = await this.#durable.readHead(sessionId).catch(() => undefined) // otherwise the next alignment finds it
    if (head) this.#memory.noteVersion(sessionId, head.version)
    return result
  }

  /** Deletes a session of which neither database has the whole. */
  async #discardParts(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    const { fencingToken, deletedAtMs } = deletion
    // A heal, which repeats a deletion at its instant, takes a part for nothing: it expects no version of one.
    const expectedVersion = deletedAtMs === undefined ? deletion.expectedVersion : undefined
    return await this.#sessions.use(sessionId, async state => {
      const peek = await this.#redis.peek(sessionId)
      if (fencingToken !== undefined && fencingToken < peek.fence) {
        throw new FencedError(fencingToken, peek.fence, { sessionId })
      }
      const deleted = await this.#durable.delete(sessionId, {
        ...deletion,
        expectedVersion,
        seenVersion: undefined,
      })
      if (peek.state !== 'cold') return deleted
      // The next reader would take the remains in Redis for half a session.
      if (await this.#repairs.loadRedis(sessionId, peek, state)) return deleted
      throw overtakenError(sessionId)
    })
  }
}
