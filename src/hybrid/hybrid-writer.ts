import type { Commit, CommitResult } from '../core/backend.js'
import { LostInPartError } from '../core/store/lost-in-part.js'
import type { Aligner } from './aligner.js'
import { isOutage } from './breaker/outage.js'
import type { DurableSide } from './durable-side.js'
import type { Lanes } from './lanes.js'
import type { RedisSide } from './redis-side.js'
import { BYPASS_STEP } from './session/compare.js'

export interface HybridWriterParts {
  redis: RedisSide
  durable: DurableSide
  aligner: Aligner
  lanes: Lanes
}

/** Writes, and moves the ends of leases and lives. */
export class HybridWriter {
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #aligner: Aligner
  readonly #lanes: Lanes

  constructor({ redis, durable, aligner, lanes }: HybridWriterParts) {
    this.#redis = redis
    this.#durable = durable
    this.#aligner = aligner
    this.#lanes = lanes
  }

  async commit(sessionId: string, commit: Commit): Promise<CommitResult> {
    this.#durable.checkWrites(sessionId, commit.writes)
    const toDurable = () => this.#durable.commit(sessionId, { ...commit, step: BYPASS_STEP })
    const written = this.#lanes.write(
      sessionId,
      commit,
      () => this.#commitToRedis(sessionId, commit),
      toDurable,
    )
    return written.catch(error => {
      // Only a heal, which alone has a fork, may go on from a part.
      if (!(error instanceof LostInPartError) || commit.fork === undefined) throw error
      return this.#lanes.pastRedis(sessionId, commit, toDurable)
    })
  }

  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    return eitherOf(
      this.#aligner.withLoaded(sessionId, () => this.#redis.lease(sessionId, fencingToken, leaseMs), {
        fencingToken,
      }),
      this.#durable.lease(sessionId, fencingToken, leaseMs),
    )
  }

  touch(sessionId: string, ttlMs: number | null): Promise<void> {
    return eitherOf(this.#redis.touch(sessionId, ttlMs), this.#durable.touch(sessionId, ttlMs))
  }

  async #commitToRedis(sessionId: string, commit: Commit): Promise<CommitResult> {
    const { operationId, fencingToken, writes, fork, lifeMs } = commit
    const taken = await this.#lanes.take(sessionId, belowVersion =>
      this.#redis.commit(sessionId, { ...commit, belowVersion }),
    )
    const { version, updatedAtMs, incarnation, operationBefore } = taken
    const result = { version, updatedAtMs, incarnation, operation: operationId }
    if (!taken.isEntered) return { ...result, operation: '', durability: 'durable' }
    const settle = async (): Promise<CommitResult> => {
      const write = (above: Commit) => this.#durable.commit(sessionId, above)
      return { ...(await this.#lanes.settle(sessionId, commit, write)), isAbove: true }
    }
    if (taken.isTwice) return settle()
    const kind = taken.begins ? 'session' : 'fields'
    const write = { version, operationId, fencingToken, updatedAtMs, kind, writes, fork, lifeMs } as const
    const applied = await this.#lanes.passOn(sessionId, write, operationBefore)
    // For a repeated write, Redis may have been loaded since the first attempt, and so remember the operation that it
    // had lost.
    const isForked = taken.isRepeated ? applied?.isLate : applied?.isForked
    if (!isForked) return { ...result, durability: applied ? 'durable' : 'outbox' }
    return settle()
  }
}

/** Succeeds if one of the two does, but throws the refusal of either. */
async function eitherOf(...calls: Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(calls)
  const errors = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []))
  const refusal = errors.find(error => !isOutage(error))
  if (refusal) throw refusal
  if (errors.length === results.length) throw errors[0]
}
