import type { AppliedOperation, Commit, Deletion } from '../core/backend.js'
import type { Applied } from '../core/durable-backend.js'
import { assertAwaited } from '../core/retry.js'
import { operationsIn } from '../core/store/operation-ids.js'
import { applyAbove, type Batch, toOperations } from './batches.js'
import type { DurableSide } from './durable-side.js'
import type { RedisSide } from './redis-side.js'
import { BYPASS_STEP, isForked, mayCount, outranked, versionAbove } from './session/compare.js'
import type { PendingWrite } from './session/pending-write.js'
import type { Sessions } from './session/sessions.js'

interface ForksParts {
  redis: RedisSide
  durable: DurableSide
  sessions: Sessions
}

/** A write that counts above another history, of which `rival` is the last operation. */
export interface LaterWrite {
  readonly write: PendingWrite
  readonly rival: AppliedOperation
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
   * Redis lacks what the durable store has, and has to be loaded. The same counts if Redis does not answer. `later`: those
   * of the unawaited writes that count above the other history. Throws if Redis does not say whether they do: they stay in
   * the outbox.
   */
  async check(
    sessionId: string,
    applied: Applied,
    batch: Batch,
    isAwaited: (write: PendingWrite) => boolean,
  ): Promise<{ isForked: boolean; later: LaterWrite[] }> {
    if (!applied.isLate) return { isForked: false, later: [] }
    const operations = toOperations(batch)
    const { newest, ops } = applied
    const asked = [newest, ...operations, ...operationsIn(ops)].flatMap(operation => operation?.id ?? [])
    const { route } = this.#sessions.of(sessionId)
    const view = await this.#redis.peek(sessionId, asked).catch(error => {
      route.noteFork()
      if (batch.some(write => !isAwaited(write) && mayCount(write, applied))) throw error
    })
    if (!view) return { isForked: true, later: [] }
    const hasMet = isForked(applied, operations, view)
    if (hasMet) route.noteFork()
    else route.noteApart()
    const later = batch.flatMap(write => {
      const rival = isAwaited(write) ? undefined : outranked(write, applied, view)
      return rival === undefined ? [] : { write, rival }
    })
    return { isForked: hasMet, later }
  }

  /**
   * Applies writes again, above the other history. For those that nobody waits for: Redis alone has acknowledged them, and
   * their process may be gone. One by one, so that each is known to have been raised.
   */
  async raise(sessionId: string, later: readonly LaterWrite[], applied: Applied): Promise<void> {
    let last = 0
    for (const { write, rival } of later) {
      last = Math.max(versionAbove(rival, write, applied.version), last + 1)
      await applyAbove(this.#durable, sessionId, last, write)
    }
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
