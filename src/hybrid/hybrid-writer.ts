import type { BackendDeletion, Commit, CommitResult, Deletion } from '../core/backend.js'
import type { Applied, DurableDeletion } from '../core/durable-backend.js'
import { FencedError, hasCode, type StoreError } from '../core/errors.js'
import type { Metrics } from '../core/metrics.js'
import { assertAwaited } from '../core/retry.js'
import { endedToken } from '../core/store/guard.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import type { Aligner } from './aligner.js'
import { isOutage, isOutageOf } from './breaker.js'
import { BYPASS_STEP, covers } from './compare.js'
import type { DurableSide } from './durable-side.js'
import type { Forks } from './forks.js'
import type { OutboxRelay } from './outbox-relay.js'
import { fenceAfter, type PendingWrite } from './pending-write.js'
import type { Publisher } from './publisher.js'
import type { RedisSide } from './redis-side.js'
import type { Taken, TakenOnce } from './session-route.js'
import type { Sessions } from './sessions.js'

export interface HybridWriterParts {
  redis: RedisSide
  durable: DurableSide
  relay: OutboxRelay
  aligner: Aligner
  forks: Forks
  sessions: Sessions
  memory: SessionMemory
  /** Write-behind: publishes a write, and the writer does not wait for MongoDB. */
  publisher: Publisher | undefined
  metrics: Metrics
}

/** Has Redis number the writes, and applies them to MongoDB. While Redis is away, writes go past it. */
export class HybridWriter {
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #relay: OutboxRelay
  readonly #aligner: Aligner
  readonly #forks: Forks
  readonly #sessions: Sessions
  readonly #memory: SessionMemory
  readonly #publisher: Publisher | undefined
  readonly #metrics: Metrics

  constructor(parts: HybridWriterParts) {
    this.#redis = parts.redis
    this.#durable = parts.durable
    this.#relay = parts.relay
    this.#aligner = parts.aligner
    this.#forks = parts.forks
    this.#sessions = parts.sessions
    this.#memory = parts.memory
    this.#publisher = parts.publisher
    this.#metrics = parts.metrics
  }

  async commit(sessionId: string, commit: Commit): Promise<CommitResult> {
    this.#durable.checkWrites(sessionId, commit.writes)
    return this.#write(
      sessionId,
      commit,
      () => this.#commitToRedis(sessionId, commit),
      () => this.#durable.commit(sessionId, { ...commit, step: BYPASS_STEP }),
    )
  }

  async delete(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    try {
      return await this.#write(
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
      return await this.#aligner.discardParts(sessionId, deletion)
    }
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

  async #write<T>(
    sessionId: string,
    write: Commit | Deletion,
    toRedis: () => Promise<T>,
    toDurable: () => Promise<T>,
  ): Promise<T> {
    const send = () => this.#writeToRedis(sessionId, write, toRedis)
    const throughRedis = () => this.#aligner.withLoaded(sessionId, send, write)
    return this.#sessions.use(sessionId, async () => {
      try {
        return await this.#twice(throughRedis)
      } catch (error) {
        if (!isOutageOf('Redis', error)) throw error
        return await this.#bypass(sessionId, write, toDurable, error as StoreError)
      }
    })
  }

  /** Repeats a call after one lost connection: it may well succeed, while a write past Redis costs a load. */
  async #twice<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (!isOutageOf('Redis', error) || this.#redis.breaker.isOpen) throw error
      return call()
    }
  }

  #writeToRedis<T>(sessionId: string, { call }: Commit | Deletion, toRedis: () => Promise<T>): Promise<T> {
    assertAwaited(call)
    return this.#sessions.of(sessionId).route.throughRedis(toRedis)
  }

  /** Writes past Redis while it is away. I7: only if MongoDB has all that this process has seen of the session. */
  async #bypass<T>(
    sessionId: string,
    { seenVersion = 0, fencingToken, call }: Commit | Deletion,
    toDurable: () => Promise<T>,
    outage: StoreError,
  ): Promise<T> {
    await this.#relay.applyOwn(sessionId)
    const head = await this.#durable.readHead(sessionId)
    // `memory` has what this process has seen since the caller's read.
    const seen = Math.max(seenVersion, this.#memory.seenVersion(sessionId))
    if (!covers(head, seen, this.#memory.hotVersions.of(sessionId))) throw outage
    const { route } = this.#sessions.of(sessionId)
    await route.untilRedisIsQuiet()
    assertAwaited(call)
    const result = await route.pastRedis({ fencingToken }, toDurable)
    this.#metrics.count('direct_writes')
    return result
  }

  /** I12: Redis refuses a write at `belowVersion` or above. */
  #take<T extends Taken>(
    sessionId: string,
    write: (belowVersion: number) => Promise<T>,
  ): Promise<T & TakenOnce> {
    const seen = () => this.#memory.seenVersion(sessionId)
    const belowVersion = seen() + BYPASS_STEP
    return this.#sessions.of(sessionId).route.take(seen, () => write(belowVersion))
  }

  async #commitToRedis(sessionId: string, commit: Commit): Promise<CommitResult> {
    const { operationId, fencingToken, writes, fork } = commit
    const taken = await this.#take(sessionId, belowVersion =>
      this.#redis.commit(sessionId, { ...commit, belowVersion }),
    )
    const { version, updatedAtMs, incarnation, operationBefore } = taken
    const result = { version, updatedAtMs, incarnation, operation: '' }
    if (!taken.isEntered) return { ...result, durability: 'durable' }
    const settle = () =>
      this.#forks.settle(sessionId, commit, above => this.#durable.commit(sessionId, above))
    if (taken.isTwice) return settle()
    const kind = taken.begins ? 'session' : 'fields'
    const write = { version, operationId, fencingToken, updatedAtMs, kind, writes, fork } as const
    const applied = await this.#passOn(sessionId, write, operationBefore)
    // For a repeated write, Redis may have been loaded since the first attempt, and so remember the operation that it
    // had lost.
    const isForked =
      applied && (taken.isRepeated ? applied.isLate : await this.#forks.isForked(sessionId, applied))
    if (!isForked) return { ...result, durability: applied ? 'durable' : 'outbox' }
    return settle()
  }

  async #deleteFromRedis(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    const { operationId } = deletion
    const taken = await this.#take(sessionId, belowVersion =>
      this.#redis.delete(sessionId, { ...deletion, belowVersion }),
    )
    const { version, fence, isEntered, operationBefore } = taken
    if (!isEntered) {
      // Redis has no such session. MongoDB may have one, which a load would bring back.
      const always = { ...deletion, seenVersion: undefined } // MongoDB may have forgotten a tombstone
      const { route } = this.#sessions.of(sessionId)
      return route.pastRedis(deletion, () => this.#deletePastRedis(sessionId, always))
    }
    this.#memory.noteVersion(sessionId, version) // a Redis that has the session again has gone back in time
    const settle = (write: Deletion) =>
      this.#forks.settle(sessionId, write, above => this.#durable.delete(sessionId, above))
    if (taken.isTwice) return settle(deletion)
    const kind = 'deletion'
    const { fencingToken = endedToken(fence) } = deletion // as in lua/delete.lua
    const write = { version, operationId, fencingToken, updatedAtMs: Date.now(), kind, writes: [] } as const
    const hasToken = deletion.fencingToken !== undefined
    try {
      const applied = await this.#passOn(sessionId, write, operationBefore)
      const isForked = applied && (await this.#forks.isForked(sessionId, applied))
      const durability = applied ? 'durable' : 'outbox'
      if (!isForked) return { version, fence, operation: '', durability }
    } catch (error) {
      // A deletion without a token ends the session of any owner, also of one that only MongoDB knows.
      const isDamaged = hasCode(error, 'CORRUPT_VALUE')
      if (!isDamaged && (hasToken || !hasCode(error, 'FENCED'))) throw error
    }
    return settle({ ...deletion, expectedVersion: undefined }).catch(error => {
      // MongoDB has a tombstone, of the first attempt or of a later owner's: it refuses the token.
      const isGone = hasToken && error instanceof FencedError && error.current === undefined
      if (!isGone) throw error
      return { version, fence, operation: '', durability: 'durable' } as const
    })
  }

  /** Remembers the tombstone's version: a Redis that has the session again has gone back in time. */
  async #deletePastRedis(sessionId: string, deletion: DurableDeletion): Promise<BackendDeletion> {
    const result = await this.#durable.delete(sessionId, deletion)
    const head = await this.#durable.readHead(sessionId).catch(() => undefined) // otherwise the next alignment finds it
    if (head) this.#memory.noteVersion(sessionId, head.version)
    return result
  }

  /** Applies a write that Redis has taken to MongoDB, or passes it on; `undefined`: MongoDB gets it later. */
  async #passOn(
    sessionId: string,
    write: PendingWrite,
    operationBefore: string,
  ): Promise<Applied | undefined> {
    if (this.#publisher) {
      this.#relay.add(sessionId, write, operationBefore)
      this.#publisher.publish(sessionId, write)
      return undefined
    }
    try {
      const applied = await this.#relay.apply(sessionId, write, operationBefore)
      const fence = fenceAfter(write)
      if (fence === undefined || applied.fence <= fence) return applied
      throw new FencedError(write.fencingToken ?? 0, applied.fence, { sessionId })
    } catch (error) {
      // A deletion also ends a damaged session: the caller asks MongoDB for it directly.
      const isRefused = write.kind === 'deletion' && hasCode(error, 'CORRUPT_VALUE')
      if (hasCode(error, 'FENCED') || isRefused) throw error
      return undefined
    }
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
