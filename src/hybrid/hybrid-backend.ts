import { Calls } from '../core/calls.js'
import {
  FencedError,
  hasCode,
  type SessionAheadError,
  SessionColdError,
  type StoreError,
} from '../core/errors.js'
import type { Metrics } from '../core/metrics.js'
import { withRetry } from '../core/retry.js'
import type { SessionMemory } from '../core/session-memory.js'
import type {
  Backend,
  BackendClaim,
  Commit,
  CommitResult,
  Deletion,
  Field,
  Head,
  ReadResult,
  SessionPage,
  SnapshotResult,
} from '../core/store.js'
import type { Applied } from '../mongodb/changes.js'
import type { Aligner } from './aligner.js'
import { isOutage, isOutageOf } from './breaker.js'
import type { MongoSide } from './mongo-side.js'
import type { OutboxApplier } from './outbox-applier.js'
import type { PendingWrite } from './pending-write.js'
import type { Publisher } from './publisher.js'
import type { RedisSide } from './redis-side.js'
import type { SessionOpener } from './session-opener.js'
import type { SessionStates } from './session-state.js'

/** A write that goes past Redis outranks whatever Redis may hold. */
const BYPASS_STEP = 2 ** 20
/** Times that a session is loaded into Redis within one call: others may change it, or evict it, all the while. */
const MAX_LOADINGS = 3
const FLUSH_MS = 5000

export interface HybridBackendParts {
  redis: RedisSide
  mongo: MongoSide
  applier: OutboxApplier
  aligner: Aligner
  opener: SessionOpener
  states: SessionStates
  memory: SessionMemory
  /** Instead of waiting for MongoDB. */
  writeBehind: Publisher | undefined
  metrics: Metrics
}

/** One of the two, as far as both can answer the same question. */
type Side = Pick<Backend, 'read' | 'readAll' | 'listFields'>

/** Redis numbers the writes and answers the reads; MongoDB outlives it. docs/hybrid.md tells the protocol. */
export class HybridBackend implements Backend {
  readonly #redis: RedisSide
  readonly #mongo: MongoSide
  readonly #applier: OutboxApplier
  readonly #aligner: Aligner
  readonly #opener: SessionOpener
  readonly #states: SessionStates
  readonly #memory: SessionMemory
  readonly #writeBehind: Publisher | undefined
  readonly #metrics: Metrics
  readonly #calls = new Calls('The hybrid store', error => error as Error)

  constructor(parts: HybridBackendParts) {
    this.#redis = parts.redis
    this.#mongo = parts.mongo
    this.#applier = parts.applier
    this.#aligner = parts.aligner
    this.#opener = parts.opener
    this.#states = parts.states
    this.#memory = parts.memory
    this.#writeBehind = parts.writeBehind
    this.#metrics = parts.metrics
  }

  read(sessionId: string, fields: readonly Field[]): Promise<ReadResult> {
    return this.#read(sessionId, side => side.read(sessionId, fields))
  }

  readAll(sessionId: string): Promise<SnapshotResult> {
    return this.#read(sessionId, side => side.readAll(sessionId))
  }

  async listFields(sessionId: string, type: string | undefined): Promise<Field[]> {
    const { fields } = await this.#read(sessionId, async side => {
      const { head } = await side.read(sessionId, [])
      return { head, fields: await side.listFields(sessionId, type) }
    })
    return fields
  }

  async commit(sessionId: string, commit: Commit): Promise<CommitResult> {
    this.#mongo.checkWrites(sessionId, commit.writes)
    return this.#write(
      sessionId,
      commit,
      () => this.#commitToRedis(sessionId, commit),
      () => this.#mongo.commit(sessionId, { ...commit, step: BYPASS_STEP }),
    )
  }

  delete(sessionId: string, deletion: Deletion): Promise<void> {
    return this.#write(
      sessionId,
      deletion,
      () => this.#deleteFromRedis(sessionId, deletion),
      () => this.#mongo.delete(sessionId, { ...deletion, step: BYPASS_STEP }),
    )
  }

  claim(sessionId: string, leaseMs?: number): Promise<BackendClaim> {
    return this.#calls.run(() => this.#opener.claim(sessionId, leaseMs))
  }

  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    return this.#calls.run(() =>
      eitherOf(
        this.#loaded(sessionId, () => this.#redis.lease(sessionId, fencingToken, leaseMs)),
        this.#mongo.lease(sessionId, fencingToken, leaseMs),
      ),
    )
  }

  touch(sessionId: string, ttlMs: number | null): Promise<void> {
    return this.#calls.run(() =>
      eitherOf(this.#redis.touch(sessionId, ttlMs), this.#mongo.touch(sessionId, ttlMs)),
    )
  }

  /** By MongoDB, which keeps them in order; while it is away, by Redis. A cursor is good for the one it came from. */
  list(limit: number, cursor = ''): Promise<SessionPage> {
    const [from, position] = [cursor.slice(0, 1), cursor.slice(1) || undefined]
    return this.#calls.run(async () => {
      try {
        if (from !== 'r') {
          await this.#applier.flush()
          return toPage('m', await this.#mongo.list(limit, position))
        }
      } catch (error) {
        if (from === 'm' || !isOutage(error)) throw error
      }
      return toPage('r', await this.#redis.list(limit, position))
    })
  }

  async isHealthy(): Promise<boolean> {
    const [redis, mongo] = await Promise.all([this.#redis.isHealthy(), this.#mongo.isHealthy()])
    return redis || mongo
  }

  /** Waits for MongoDB to have the writes of this process, for a while: the outbox has them all the same. */
  async close(): Promise<void> {
    await this.#calls.close()
    const once = { timeoutMs: FLUSH_MS, maxRetries: 0, baseDelayMs: 0, multiplier: 1 }
    await withRetry(once, { operation: 'close' }, () => this.#applier.flush()).catch(() => {})
    this.#applier.close()
    await this.#writeBehind?.close()
    await Promise.all([this.#redis.close(), this.#mongo.close()])
  }

  /** From Redis as long as it can be believed, else from MongoDB. */
  #read<T extends { head: Head }>(sessionId: string, ask: (side: Side) => Promise<T>): Promise<T> {
    return this.#calls.run(async () => {
      let outage: StoreError | undefined
      try {
        const known = await this.#readRedis(sessionId, ask)
        if (known !== undefined) {
          this.#metrics.count('redis_hits')
          return known
        }
        this.#metrics.count('redis_misses')
      } catch (error) {
        if (!isOutageOf('Redis', error)) throw error
        outage = error as StoreError
      }
      return this.#readMongo(sessionId, ask, outage)
    })
  }

  /** `undefined`: Redis does not have the session, which is being loaded. */
  async #readRedis<T extends { head: Head }>(
    sessionId: string,
    ask: (side: Side) => Promise<T>,
  ): Promise<T | undefined> {
    const seen = this.#seen(sessionId)
    if (this.#states.isBehind(sessionId)) await this.#aligner.align(sessionId)
    for (let loadings = 0; ; loadings++) {
      try {
        const result = await ask(this.#redis)
        const { exists, version, fence } = result.head
        if ((exists && version >= seen) || loadings === MAX_LOADINGS) return result
        const { peek } = await this.#aligner.align(sessionId)
        // Both have said that there is no session, or are behind: then what has been seen is to be written again.
        if (peek.version === version && peek.fence === fence) return result
      } catch (error) {
        if (!hasCode(error, 'COLD')) throw error
        await this.#applier.drain(sessionId)
        this.#aligner.alignLater(sessionId)
        return undefined
      }
    }
  }

  /** With all that this process has written. `outage`: why Redis was not asked. */
  async #readMongo<T extends { head: Head }>(
    sessionId: string,
    ask: (side: Side) => Promise<T>,
    outage: StoreError | undefined,
  ): Promise<T> {
    const seen = this.#seen(sessionId)
    if (outage) await this.#applier.applyOwn(sessionId)
    const result = await ask(this.#mongo)
    this.#metrics.count('mongo_fallbacks')
    // What MongoDB does not have, Redis may.
    if (outage && (!result.head.exists || result.head.version < seen)) throw outage
    return result
  }

  #write<T>(
    sessionId: string,
    write: Commit | Deletion,
    toRedis: () => Promise<T>,
    toMongo: () => Promise<T>,
  ): Promise<T> {
    return this.#calls.run(async () => {
      const throughRedis = () => this.#loaded(sessionId, () => this.#writeToRedis(sessionId, write, toRedis))
      try {
        return await this.#twice(throughRedis)
      } catch (error) {
        if (!isOutageOf('Redis', error)) throw error
        return await this.#bypass(sessionId, write, toMongo, error as StoreError)
      } finally {
        this.#states.release(sessionId)
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
  async #loaded<T>(sessionId: string, run: () => T | Promise<T>): Promise<T> {
    if (this.#states.isBehind(sessionId)) await this.#aligner.align(sessionId)
    for (let loadings = 0; ; loadings++) {
      try {
        return await run()
      } catch (error) {
        if (hasCode(error, 'AHEAD')) this.#memory.noteVersion(sessionId, (error as SessionAheadError).found)
        // Once more behind than what this process has seen: MongoDB does not have it either.
        const isToLoad = hasCode(error, 'COLD') || (hasCode(error, 'REWOUND') && loadings === 0)
        if (isToLoad && loadings < MAX_LOADINGS) await this.#aligner.align(sessionId)
        else if (!hasCode(error, 'AHEAD') || loadings === MAX_LOADINGS) throw error
      }
    }
  }

  #writeToRedis<T>(sessionId: string, { signal }: Commit | Deletion, toRedis: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    const state = this.#states.of(sessionId)
    if (state.isBehind) throw new SessionColdError({ sessionId }) // a write has just gone past Redis
    return state.atRedis.run(toRedis)
  }

  /** Past Redis, while it is away. Only for a session that MongoDB has as new as this process knows it. */
  async #bypass<T>(
    sessionId: string,
    { seenVersion = 0, fencingToken, signal }: Commit | Deletion,
    toMongo: () => Promise<T>,
    outage: StoreError,
  ): Promise<T> {
    await this.#applier.applyOwn(sessionId)
    const { exists, version } = await this.#mongo.readHead(sessionId)
    if (!exists || version < seenVersion) throw outage
    const state = this.#states.of(sessionId)
    await state.atRedis.end() // what Redis may still take must not come after this, at a lower version
    signal?.throwIfAborted()
    state.noteDivergence()
    try {
      const result = await state.bypassing.run(toMongo)
      this.#metrics.count('direct_writes')
      return result
    } catch (error) {
      if (isOutage(error)) state.lostBypass = { fencingToken }
      throw error
    }
  }

  async #commitToRedis(sessionId: string, commit: Commit): Promise<CommitResult> {
    const { operationId, fencingToken, writes } = commit
    const belowVersion = this.#seen(sessionId) + BYPASS_STEP
    const taken = await this.#redis.commit(sessionId, { ...commit, belowVersion })
    const { version, updatedAtMs, waiting } = taken
    if (!taken.isEntered) return { version, updatedAtMs, durability: 'durable' }
    const kind = taken.begins ? 'session' : 'fields'
    const write = { version, operationId, fencingToken, updatedAtMs, kind, writes } as const
    const applied = await this.#passOn(sessionId, write, waiting)
    const isBelow = applied?.isLate && (await this.#redis.peek(sessionId)).version < applied.version
    if (!isBelow) return { version, updatedAtMs, durability: applied ? 'durable' : 'outbox' }
    // Not another process's later write was faster, but Redis had lost what MongoDB has. Once more, above it.
    await this.#aligner.align(sessionId)
    return this.#commitToRedis(sessionId, { ...commit, operationId: `${operationId}+` })
  }

  async #deleteFromRedis(sessionId: string, deletion: Deletion): Promise<void> {
    const { operationId } = deletion
    const belowVersion = this.#seen(sessionId) + BYPASS_STEP
    const taken = await this.#redis.delete(sessionId, { ...deletion, belowVersion })
    const { version, fence: fencingToken, isEntered, waiting } = taken
    if (isEntered) {
      const kind = 'deletion'
      const write = { version, operationId, fencingToken, updatedAtMs: Date.now(), kind, writes: [] } as const
      await this.#passOn(sessionId, write, waiting)
      return
    }
    // Redis has no such session: if MongoDB has one, it must not come back from there.
    this.#states.of(sessionId).noteDivergence()
    await this.#mongo.delete(sessionId, { ...deletion, seenVersion: undefined }) // it may have forgotten a tombstone
  }

  #seen(sessionId: string): number {
    return this.#memory.seenVersion(sessionId) ?? 0
  }

  /** Brings a write that Redis has taken to MongoDB; `undefined`: it is on its way. */
  async #passOn(sessionId: string, write: PendingWrite, waiting: number): Promise<Applied | undefined> {
    if (this.#writeBehind) {
      this.#applier.add(sessionId, write, waiting)
      this.#writeBehind.publish(sessionId, write)
      return undefined
    }
    try {
      const applied = await this.#applier.apply(sessionId, write, waiting)
      const { fencingToken = applied.fence } = write
      if (applied.fence <= fencingToken) return applied
      throw new FencedError(fencingToken, applied.fence, { sessionId })
    } catch (error) {
      if (hasCode(error, 'FENCED')) throw error
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

function toPage(from: 'm' | 'r', { sessionIds, cursor }: SessionPage): SessionPage {
  return { sessionIds, cursor: cursor === null ? null : `${from}${cursor}` }
}
