import type { BackendDeletion, Commit, CommitResult, Deletion, Guard } from '../core/backend.js'
import type { Applied, DurableDeletion } from '../core/durable-backend.js'
import { FencedError, hasCode, type StoreError } from '../core/errors.js'
import type { Metrics } from '../core/metrics.js'
import { assertAwaited } from '../core/retry.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import { isAhead, isCold, SessionColdError } from '../redis/protocol-errors.js'
import type { Aligner } from './aligner.js'
import { isOutage, isOutageOf } from './breaker.js'
import { BYPASS_STEP, covers, isForked, isTakenTwice } from './compare.js'
import { Contention } from './contention.js'
import type { DurableSide } from './durable-side.js'
import type { OutboxApplier } from './outbox-applier.js'
import type { PendingWrite } from './pending-write.js'
import type { Publisher } from './publisher.js'
import type { RedisCommit, RedisDeletion, RedisSide } from './redis-side.js'
import type { SessionStates } from './session-state.js'

export interface HybridWriterParts {
  redis: RedisSide
  durable: DurableSide
  applier: OutboxApplier
  aligner: Aligner
  states: SessionStates
  memory: SessionMemory
  /** Write-behind: it is told of a write instead of MongoDB being waited for. */
  publisher: Publisher | undefined
  metrics: Metrics
  /** Of one call of the store. */
  timeoutMs: number
}

/** Has Redis number the writes and MongoDB get them; while Redis is away, they go past it. */
export class HybridWriter {
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #applier: OutboxApplier
  readonly #aligner: Aligner
  readonly #states: SessionStates
  readonly #memory: SessionMemory
  readonly #publisher: Publisher | undefined
  readonly #metrics: Metrics
  readonly #timeoutMs: number

  constructor(parts: HybridWriterParts) {
    this.#redis = parts.redis
    this.#durable = parts.durable
    this.#applier = parts.applier
    this.#aligner = parts.aligner
    this.#states = parts.states
    this.#memory = parts.memory
    this.#publisher = parts.publisher
    this.#metrics = parts.metrics
    this.#timeoutMs = parts.timeoutMs
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
      this.#loaded(sessionId, () => this.#redis.lease(sessionId, fencingToken, leaseMs), { fencingToken }),
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
    const throughRedis = () => this.#loaded(sessionId, send, write)
    return this.#states.use(sessionId, async () => {
      try {
        return await this.#twice(throughRedis)
      } catch (error) {
        if (!isOutageOf('Redis', error)) throw error
        return await this.#bypass(sessionId, write, toDurable, error as StoreError)
      }
    })
  }

  /** After one lost connection the next call may well succeed, and a write past Redis costs a loading. */
  async #twice<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (!isOutageOf('Redis', error) || this.#redis.breaker.isOpen) throw error
      return call()
    }
  }

  /** Runs what needs the session in Redis, and as new as this process knows it. */
  async #loaded<T>(
    sessionId: string,
    run: () => T | Promise<T>,
    { fencingToken = 0, call }: Pick<Commit, 'fencingToken' | 'call'>,
  ): Promise<T> {
    let contention: Contention | undefined
    if (this.#states.isBehind(sessionId)) await this.#aligner.align(sessionId)
    for (let loadings = 0; ; loadings++) {
      try {
        return await run()
      } catch (error) {
        if (isAhead(error)) this.#memory.noteVersion(sessionId, error.found)
        // Once more behind than what this process has seen: MongoDB does not have it either.
        const isToLoad = isCold(error) || (hasCode(error, 'REWOUND') && loadings === 0)
        if (!isToLoad && !isAhead(error)) throw error
        if (contention) await contention.pause(error)
        contention ??= new Contention(sessionId, this.#timeoutMs, call)
        if (!isToLoad) continue
        // Loaded, and still cold to this token: MongoDB has lost the claim, too.
        if (loadings > 0) await this.#durable.raiseFence(sessionId, fencingToken)
        await this.#aligner.align(sessionId)
      }
    }
  }

  #writeToRedis<T>(sessionId: string, { call }: Commit | Deletion, toRedis: () => Promise<T>): Promise<T> {
    assertAwaited(call)
    const state = this.#states.of(sessionId)
    if (state.isBehind) throw new SessionColdError({ sessionId }) // a write has just gone past Redis
    return state.atRedis.run(toRedis)
  }

  /** Past Redis, while it is away. Only for a session that MongoDB has as new as this process knows it. */
  async #bypass<T>(
    sessionId: string,
    { seenVersion = 0, fencingToken, call }: Commit | Deletion,
    toDurable: () => Promise<T>,
    outage: StoreError,
  ): Promise<T> {
    await this.#applier.applyOwn(sessionId)
    const head = await this.#durable.readHead(sessionId)
    // What it has seen meanwhile counts as well.
    const seen = Math.max(seenVersion, this.#memory.seenVersion(sessionId))
    if (!covers(head, seen, this.#memory.hotVersions.of(sessionId))) throw outage
    const state = this.#states.of(sessionId)
    await state.atRedis.end() // what Redis may still take must not come after this, at a lower version
    assertAwaited(call)
    const result = await this.#pastRedis(sessionId, { fencingToken }, toDurable)
    this.#metrics.count('direct_writes')
    return result
  }

  /** A write past Redis that is given up may still be carried out: the next alignment forestalls it. */
  async #pastRedis<T>(sessionId: string, { fencingToken }: Guard, toDurable: () => Promise<T>): Promise<T> {
    const state = this.#states.of(sessionId)
    state.noteDivergence()
    try {
      return await state.bypassing.run(toDurable)
    } catch (error) {
      if (isOutage(error)) state.lostBypass = { fencingToken }
      throw error
    }
  }

  async #commitToRedis(sessionId: string, commit: Commit): Promise<CommitResult> {
    const { operationId, fencingToken, writes, fork } = commit
    const belowVersion = this.#memory.seenVersion(sessionId) + BYPASS_STEP
    const state = this.#states.of(sessionId)
    let taken: RedisCommit
    state.unanswered++
    try {
      taken = await this.#redis.commit(sessionId, { ...commit, belowVersion })
    } finally {
      state.unanswered-- // what follows from the answer is noted below, before anything else happens
    }
    const { version, updatedAtMs, incarnation, operationBefore } = taken
    const result = { version, updatedAtMs, incarnation, operation: '' }
    if (!taken.isEntered) return { ...result, durability: 'durable' }
    const settle = () => this.#settleFork(sessionId, commit, above => this.#durable.commit(sessionId, above))
    if (this.#isTakenTwice(sessionId, taken)) return settle()
    const kind = taken.begins ? 'session' : 'fields'
    const write = { version, operationId, fencingToken, updatedAtMs, kind, writes, fork } as const
    const applied = await this.#passOn(sessionId, write, operationBefore)
    // Redis may have been loaded since it was taken first, and remember what it had lost.
    const isForked = applied && (taken.isRepeated ? applied.isLate : await this.#isForked(sessionId, applied))
    if (!isForked) return { ...result, durability: applied ? 'durable' : 'outbox' }
    return settle()
  }

  async #deleteFromRedis(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    const { operationId } = deletion
    const belowVersion = this.#memory.seenVersion(sessionId) + BYPASS_STEP
    const state = this.#states.of(sessionId)
    let taken: RedisDeletion
    state.unanswered++
    try {
      taken = await this.#redis.delete(sessionId, { ...deletion, belowVersion })
    } finally {
      state.unanswered--
    }
    const { version, fence: fencingToken, isEntered, operationBefore } = taken
    if (!isEntered) {
      // Redis has no such session: if MongoDB has one, it must not come back from there.
      const always = { ...deletion, seenVersion: undefined } // MongoDB may have forgotten a tombstone
      return this.#pastRedis(sessionId, deletion, () => this.#deletePastRedis(sessionId, always))
    }
    const isTakenTwice = this.#isTakenTwice(sessionId, taken)
    this.#memory.noteVersion(sessionId, version) // a Redis that has the session again comes from before
    const settle = (write: Deletion) =>
      this.#settleFork(sessionId, write, above => this.#durable.delete(sessionId, above))
    if (isTakenTwice) return settle(deletion)
    const kind = 'deletion'
    const write = { version, operationId, fencingToken, updatedAtMs: Date.now(), kind, writes: [] } as const
    const hasToken = deletion.fencingToken !== undefined
    try {
      const applied = await this.#passOn(sessionId, write, operationBefore)
      const isForked = applied && (await this.#isForked(sessionId, applied))
      const durability = applied ? 'durable' : 'outbox'
      if (!isForked) return { version, fence: fencingToken, operation: '', durability }
    } catch (error) {
      // A deletion without a token ends the session of any owner, also one that only MongoDB knows of.
      const isDamaged = hasCode(error, 'CORRUPT_VALUE')
      if (!isDamaged && (hasToken || !hasCode(error, 'FENCED'))) throw error
    }
    // It may have ended the session by now, with the fence that its tombstone has in Redis.
    const token = hasToken ? fencingToken : undefined
    return settle({ ...deletion, fencingToken: token, expectedVersion: undefined })
  }

  /** Remembers the tombstone's version: a Redis that has the session again comes from before. */
  async #deletePastRedis(sessionId: string, deletion: DurableDeletion): Promise<BackendDeletion> {
    const result = await this.#durable.delete(sessionId, deletion)
    const head = await this.#durable.readHead(sessionId).catch(() => undefined) // then the next alignment tells
    if (head) this.#memory.noteVersion(sessionId, head.version)
    return result
  }

  /**
   * Whether Redis has given a version that this process has seen taken: it has lost writes since. Answers of a connection
   * come in order, so whatever was seen of Redis before this answer was there before this write.
   */
  #isTakenTwice(sessionId: string, taken: RedisCommit | RedisDeletion): boolean {
    const state = this.#states.of(sessionId)
    const highest = Math.max(state.highestTaken, this.#memory.seenVersion(sessionId))
    state.highestTaken = Math.max(highest, taken.version)
    return isTakenTwice(taken, highest)
  }

  async #isForked(sessionId: string, applied: Applied): Promise<boolean> {
    return applied.isLate && isForked(applied, await this.#redis.peek(sessionId, applied.newest?.id))
  }

  /** Two histories of the session have met: the write goes past Redis, where it outranks both, and Redis is loaded. */
  async #settleFork<W extends Commit | Deletion, T>(
    sessionId: string,
    write: W,
    toDurable: (above: W) => Promise<T>,
  ): Promise<T> {
    const state = this.#states.of(sessionId)
    state.hasForked = true
    state.noteDivergence()
    assertAwaited(write.call)
    // Another operation: what was done in vain is not to be known for done.
    const operationId = `${write.operationId}+`
    const forced = { seenVersion: undefined, needsSession: undefined, step: BYPASS_STEP }
    const settled = { ...write, ...forced, operationId }
    const result = await this.#pastRedis(sessionId, write, () => toDurable(settled))
    await this.#aligner.align(sessionId).catch(() => {}) // the next call finds the same, and tries again
    return result
  }

  /** Brings a write that Redis has taken to MongoDB; `undefined`: it is on its way. */
  async #passOn(
    sessionId: string,
    write: PendingWrite,
    operationBefore: string,
  ): Promise<Applied | undefined> {
    if (this.#publisher) {
      this.#applier.add(sessionId, write, operationBefore)
      this.#publisher.publish(sessionId, write)
      return undefined
    }
    try {
      const applied = await this.#applier.apply(sessionId, write, operationBefore)
      const { fencingToken = applied.fence } = write
      if (applied.fence <= fencingToken) return applied
      throw new FencedError(fencingToken, applied.fence, { sessionId })
    } catch (error) {
      // A deletion ends what is damaged as well: MongoDB is asked for it by itself.
      const isRefused = write.kind === 'deletion' && hasCode(error, 'CORRUPT_VALUE')
      if (hasCode(error, 'FENCED') || isRefused) throw error
      return undefined
    }
  }
}

/** One of the two is enough, but a refusal of either is one. */
async function eitherOf(...calls: Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(calls)
  const errors = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []))
  const refusal = errors.find(error => !isOutage(error))
  if (refusal) throw refusal
  if (errors.length === results.length) throw errors[0]
}
