import type { Commit, Deletion } from '../core/backend.js'
import type { Applied } from '../core/durable-backend.js'
import { assertAwaited } from '../core/retry.js'
import type { Aligner } from './aligner.js'
import type { RedisSide } from './redis-side.js'
import { BYPASS_STEP, isForked } from './session/compare.js'
import type { Sessions } from './session/sessions.js'

export interface ForksParts {
  redis: RedisSide
  aligner: Aligner
  sessions: Sessions
}

/** Handles two histories of a session that have met: Redis has lost writes and taken others since. Writes past both. */
export class Forks {
  readonly #redis: RedisSide
  readonly #aligner: Aligner
  readonly #sessions: Sessions

  constructor({ redis, aligner, sessions }: ForksParts) {
    this.#redis = redis
    this.#aligner = aligner
    this.#sessions = sessions
  }

  /** Whether two histories have met, by the durable store's answer to a write that Redis had taken. */
  async isForked(sessionId: string, applied: Applied): Promise<boolean> {
    return applied.isLate && isForked(applied, await this.#redis.peek(sessionId, applied.newest?.id))
  }

  /** Repeats the write past Redis, where it outranks both histories, and loads Redis. */
  async settle<W extends Commit | Deletion, T>(
    sessionId: string,
    write: W,
    toDurable: (above: W) => Promise<T>,
  ): Promise<T> {
    const { route } = this.#sessions.of(sessionId)
    route.noteFork()
    assertAwaited(write.call)
    // A new operation id: the store may know the old one as applied, and would then do nothing.
    const operationId = `${write.operationId}+`
    const forced = { seenVersion: undefined, needsSession: undefined, step: BYPASS_STEP }
    const result = await route.pastRedis(write, () => toDurable({ ...write, ...forced, operationId }))
    await this.#aligner.align(sessionId).catch(() => {}) // the next call finds the same state and tries again
    return result
  }
}
