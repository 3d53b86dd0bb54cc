import type { AppliedOperation, Commit, Deletion } from '../core/backend.js'
import type { Applied } from '../core/durable-backend.js'
import { assertAwaited } from '../core/retry.js'
import { applyAbove } from './batches.js'
import type { DurableSide } from './durable-side.js'
import type { RedisSide } from './redis-side.js'
import { BYPASS_STEP, cameLater, isForked } from './session/compare.js'
import type { PendingWrite } from './session/pending-write.js'
import type { Sessions } from './session/sessions.js'

interface ForksParts {
  redis: RedisSide
  durable: DurableSide
  sessions: Sessions
}

/** Handles two histories of a session that have met: Redis has lost writes and taken others since. */
export class Forks {
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #sessions: Sessions

  constructor({ redis, durable, sessions }: ForksParts) {
    this.#redis = redis
    this.#durable = durable
    this.#sessions = sessions
  }

  /**
   * Whether two histories have met, by the durable store's answer to writes of any process that Redis had taken. Then
   * Redis lacks what the durable store has, and has to be loaded. The same counts if Redis does not answer.
   */
  async check(sessionId: string, applied: Applied, late: readonly AppliedOperation[]): Promise<boolean> {
    if (!applied.isLate) return false
    const { newest } = applied
    const asked = [...(newest ? [newest] : []), ...late].map(({ id }) => id)
    const hasMet = await this.#redis.peek(sessionId, asked).then(
      view => isForked(applied, late, view),
      () => true,
    )
    const { route } = this.#sessions.of(sessionId)
    if (hasMet) route.noteFork()
    else route.noteApart()
    return hasMet
  }

  /**
   * Applies writes of one history again, above the other one, as far as Redis took them after it. Nobody waits for them:
   * Redis alone has acknowledged them, and their process may be gone.
   */
  async prefer(sessionId: string, batch: readonly PendingWrite[], applied: Applied): Promise<void> {
    const later = batch.filter(write => cameLater(write, applied))
    if (later.length > 0) await applyAbove(this.#durable, sessionId, applied.version + BYPASS_STEP, later)
  }

  /** Repeats the write past Redis, where it outranks both histories. */
  async outrank<W extends Commit | Deletion, T>(
    sessionId: string,
    write: W,
    toDurable: (above: W) => Promise<T>,
  ): Promise<T> {
    const { route } = this.#sessions.of(sessionId)
    route.noteFork()
    assertAwaited(write.call)
    // A new operation id: the store may know the old one as applied, and would then do nothing.
    const operationId = `${write.operationId}+`
    // Redis has taken the write: it has judged what the caller has seen and expects. Whether there is a session, only the
    // other history may know.
    const judged = { seenVersion: undefined, expectedVersion: undefined }
    return route.pastRedis(write, () => toDurable({ ...write, ...judged, step: BYPASS_STEP, operationId }))
  }
}
