import { Calls } from '../core/calls.js'
import { FencedError, hasCode, maskSessionId, type StoreError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { withRetry } from '../core/retry.js'
import type { SessionMemory } from '../core/session-memory.js'
import {
  type Backend,
  type BackendClaim,
  type Commit,
  type CommitResult,
  CREDS_FIELD,
  type Deletion,
  type Field,
  type Head,
  type ReadResult,
  type SessionPage,
  type SnapshotResult,
} from '../core/store.js'
import type { MongoBackend } from '../mongodb/mongo-backend.js'
import type { Aligner } from './aligner.js'
import { type Breaker, isOutage, isOutageOf, LOADING_MS } from './breaker.js'
import type { OutboxApplier } from './outbox-applier.js'
import type { PendingWrite } from './pending-write.js'
import type { Publisher } from './publisher.js'
import type { RedisSide } from './redis-side.js'
import type { SessionStates } from './session-state.js'

/** A write that goes past Redis outranks whatever Redis may hold. */
const BYPASS_STEP = 2 ** 20
/** Loading a session that another process changes all the while. */
const MAX_LOADINGS = 3
const FLUSH_MS = 5000

export interface HybridBackendParts {
  redis: RedisSide
  toRedis: Breaker
  mongo: MongoBackend
  toMongo: Breaker
  applier: OutboxApplier
  aligner: Aligner
  states: SessionStates
  memory: SessionMemory
  /** Instead of waiting for MongoDB. */
  writeBehind: Publisher | undefined
  /** Open a session while one of the two is away. */
  opensDegraded: boolean
  logger: Logger
}

/** One of the two, as far as both can answer the same question. */
type Side = Pick<Backend, 'read' | 'readAll' | 'listFields'>

/**
 * Redis numbers the writes and answers the reads; MongoDB outlives it. docs/hybrid.md tells the protocol.
 */
export class HybridBackend implements Backend {
  readonly #redis: RedisSide
  readonly #toRedis: Breaker
  readonly #mongo: MongoBackend
  readonly #toMongo: Breaker
  readonly #applier: OutboxApplier
  readonly #aligner: Aligner
  readonly #states: SessionStates
  readonly #memory: SessionMemory
  readonly #writeBehind: Publisher | undefined
  readonly #opensDegraded: boolean
  readonly #logger: Logger
  readonly #calls = new Calls('The hybrid store', error => error as Error)

  constructor(parts: HybridBackendParts) {
    this.#redis = parts.redis
    this.#toRedis = parts.toRedis
    this.#mongo = parts.mongo
    this.#toMongo = parts.toMongo
    this.#applier = parts.applier
    this.#aligner = parts.aligner
    this.#states = parts.states
    this.#memory = parts.memory
    this.#writeBehind = parts.writeBehind
    this.#opensDegraded = parts.opensDegraded
    this.#logger = parts.logger
  }

  read(sessionId: string, fields: readonly Field[]): Promise<ReadResult> {
    return this.#read(sessionId, side => side.read(sessionId, fields))
  }

  readAll(sessionId: string): Promise<SnapshotResult> {
    return this.#read(sessionId, side => side.readAll(sessionId), LOADING_MS)
  }

  async listFields(sessionId: string, type: string | undefined): Promise<Field[]> {
    const ask = async (side: Side) => {
      const { head } = await side.read(sessionId, [])
      return { head, fields: await side.listFields(sessionId, type) }
    }
    return (await this.#read(sessionId, ask, LOADING_MS)).fields
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

  async delete(sessionId: string, deletion: Deletion): Promise<void> {
    await this.#write(
      sessionId,
      deletion,
      () => this.#deleteFromRedis(sessionId, deletion),
      () => this.#mongo.delete(sessionId, { ...deletion, step: BYPASS_STEP }),
    )
  }

  claim(sessionId: string, leaseMs?: number): Promise<BackendClaim> {
    return this.#calls.run(() => this.#claim(sessionId, leaseMs))
  }

  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    const onRedis = () => this.#redis.lease(sessionId, fencingToken, leaseMs)
    const onMongo = () => this.#mongo.lease(sessionId, fencingToken, leaseMs)
    return this.#calls.run(() =>
      eitherOf(
        this.#loaded(sessionId, () => this.#toRedis.run(onRedis)),
        this.#toMongo.run(onMongo),
      ),
    )
  }

  touch(sessionId: string, ttlMs: number | null): Promise<void> {
    const onRedis = () => this.#redis.touch(sessionId, ttlMs)
    const onMongo = () => this.#mongo.touch(sessionId, ttlMs)
    return this.#calls.run(() => eitherOf(this.#toRedis.run(onRedis), this.#toMongo.run(onMongo)))
  }

  /** By MongoDB, which keeps them in order; while it is away, by Redis. A cursor is good for the one it came from. */
  list(limit: number, cursor?: string): Promise<SessionPage> {
    return this.#calls.run(() => this.#list(limit, cursor))
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
    this.#toRedis.close()
    this.#toMongo.close()
  }

  async #claim(sessionId: string, leaseMs: number | undefined): Promise<BackendClaim> {
    try {
      return await this.#claimBoth(sessionId, leaseMs)
    } catch (error) {
      if (!isOutage(error) || !this.#opensDegraded) throw error
      const claim = await this.#claimEither(sessionId, leaseMs, error as StoreError)
      const about = { sessionId: maskSessionId(sessionId) }
      this.#logger.warn(about, 'a session was opened while one of Redis and MongoDB was away')
      return claim
    }
  }

  async #list(limit: number, cursor = ''): Promise<SessionPage> {
    const [from, position] = [cursor.slice(0, 1), cursor.slice(1) || undefined]
    if (from !== 'r') {
      try {
        await this.#applier.flush()
        return toPage('m', await this.#toMongo.run(() => this.#mongo.list(limit, position)))
      } catch (error) {
        if (from === 'm' || !isOutage(error)) throw error
      }
    }
    return toPage('r', await this.#toRedis.run(() => this.#redis.list(limit, position)))
  }

  /** From Redis as long as it can be believed, else from MongoDB. */
  #read<T extends { head: Head }>(
    sessionId: string,
    ask: (side: Side) => Promise<T>,
    timeoutMs?: number,
  ): Promise<T> {
    return this.#calls.run(async () => {
      let outage: StoreError | undefined
      try {
        const known = await this.#readRedis(sessionId, ask, timeoutMs)
        if (known !== undefined) return known
      } catch (error) {
        if (!isOutageOf('Redis', error)) throw error
        outage = error as StoreError
      }
      return this.#readMongo(sessionId, ask, timeoutMs, outage)
    })
  }

  /** `undefined`: Redis does not have the session, which is being loaded. */
  async #readRedis<T extends { head: Head }>(
    sessionId: string,
    ask: (side: Side) => Promise<T>,
    timeoutMs: number | undefined,
  ): Promise<T | undefined> {
    const seen = this.#memory.seenVersion(sessionId) ?? 0
    if (this.#states.isBehind(sessionId)) await this.#aligner.align(sessionId)
    for (let loadings = 0; ; loadings++) {
      try {
        const result = await this.#toRedis.run(() => ask(this.#redis), timeoutMs)
        const isBelieved = result.head.exists && result.head.version >= seen
        if (isBelieved || loadings === MAX_LOADINGS) return result
        const { peek } = await this.#aligner.align(sessionId)
        // Both have said that there is no session, or are behind: then what has been seen is to be written again.
        if (peek.version === result.head.version && peek.fence === result.head.fence) return result
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
    timeoutMs: number | undefined,
    outage?: StoreError,
  ): Promise<T> {
    const seen = this.#memory.seenVersion(sessionId) ?? 0
    if (outage) await this.#applier.applyOwn(sessionId)
    const result = await this.#toMongo.run(() => ask(this.#mongo), timeoutMs)
    // What MongoDB does not have, Redis may.
    if (outage && (!result.head.exists || result.head.version < seen)) throw outage
    return result
  }

  #write<T>(
    sessionId: string,
    { seenVersion = 0 }: Commit | Deletion,
    toRedis: () => Promise<T>,
    toMongo: () => Promise<T>,
  ): Promise<T> {
    return this.#calls.run(async () => {
      try {
        return await this.#loaded(sessionId, toRedis)
      } catch (error) {
        if (!isOutageOf('Redis', error)) throw error
        return this.#bypass(sessionId, seenVersion, toMongo, error as StoreError)
      }
    })
  }

  /** Runs what needs the session in Redis, and as new as this process knows it. */
  async #loaded<T>(sessionId: string, run: () => Promise<T>): Promise<T> {
    if (this.#states.isBehind(sessionId)) await this.#aligner.align(sessionId)
    for (let loadings = 0; ; loadings++) {
      try {
        return await run()
      } catch (error) {
        // Once more behind than what this process has seen: MongoDB does not have it either.
        const isToLoad = hasCode(error, 'COLD') || (hasCode(error, 'REWOUND') && loadings === 0)
        if (!isToLoad || loadings === MAX_LOADINGS) throw error
        await this.#aligner.align(sessionId)
      }
    }
  }

  /** Past Redis, while it is away. Only for a session that MongoDB has as new as this process knows it. */
  async #bypass<T>(
    sessionId: string,
    seenVersion: number,
    toMongo: () => Promise<T>,
    outage: StoreError,
  ): Promise<T> {
    await this.#applier.applyOwn(sessionId)
    const { head } = await this.#toMongo.run(() => this.#mongo.read(sessionId, []))
    if (!head.exists || head.version < seenVersion) throw outage
    this.#states.of(sessionId).isBehind = true
    return this.#toMongo.run(toMongo)
  }

  async #commitToRedis(sessionId: string, commit: Commit): Promise<CommitResult> {
    const { operationId, fencingToken, writes } = commit
    const taken = await this.#toRedis.run(() => this.#redis.commit(sessionId, commit))
    const { version, updatedAtMs, begins, waiting } = taken
    if (!taken.isEntered) return { version, updatedAtMs, durability: 'durable' }
    const kind = begins ? 'session' : 'fields'
    const write = { version, operationId, fencingToken, updatedAtMs, kind, writes } as const
    return { version, updatedAtMs, durability: await this.#hand(sessionId, write, waiting) }
  }

  async #deleteFromRedis(sessionId: string, deletion: Deletion): Promise<void> {
    const { operationId } = deletion
    const taken = await this.#toRedis.run(() => this.#redis.delete(sessionId, deletion))
    const { version, fence: fencingToken, waiting } = taken
    if (taken.isEntered) {
      const kind = 'deletion'
      const write = { version, operationId, fencingToken, updatedAtMs: Date.now(), kind, writes: [] } as const
      await this.#hand(sessionId, write, waiting)
      return
    }
    // Redis has no such session: if MongoDB has one, it must not come back from there.
    this.#states.of(sessionId).isBehind = true
    const unseen = { ...deletion, seenVersion: undefined } // MongoDB may have forgotten a tombstone
    await this.#toMongo.run(() => this.#mongo.delete(sessionId, unseen))
  }

  /** Passes a write that Redis has taken on to MongoDB. */
  async #hand(sessionId: string, write: PendingWrite, waiting: number): Promise<CommitResult['durability']> {
    if (this.#writeBehind) {
      this.#applier.add(sessionId, write, waiting)
      this.#writeBehind.publish(sessionId, write)
      return 'outbox'
    }
    const { fencingToken } = write
    try {
      const { fence } = await this.#applier.apply(sessionId, write, waiting)
      if (fencingToken === undefined || fence <= fencingToken) return 'durable'
      throw new FencedError(fencingToken, fence, { sessionId })
    } catch (error) {
      if (hasCode(error, 'FENCED')) throw error
      return 'outbox'
    }
  }

  async #claimBoth(sessionId: string, leaseMs: number | undefined): Promise<BackendClaim> {
    const { peek } = await this.#aligner.align(sessionId)
    const durable = await this.#toMongo.run(() => this.#mongo.claim(sessionId, leaseMs, peek.fence))
    const token = durable.fencingToken
    const hot = await this.#claimHot(sessionId, leaseMs, token)
    if (hot.fencingToken !== token) {
      await this.#toMongo.run(() => this.#mongo.raiseFence(sessionId, hot.fencingToken))
    }
    const isSame = hot.head.exists === durable.head.exists && hot.head.version === durable.head.version
    if (isSame) return hot
    // Somebody has written between the two.
    await this.#aligner.align(sessionId)
    const { head, values } = await this.#toRedis.run(() => this.#redis.read(sessionId, [CREDS_FIELD]))
    return { fencingToken: hot.fencingToken, head, creds: values[0] }
  }

  async #claimHot(sessionId: string, leaseMs: number | undefined, token: number): Promise<BackendClaim> {
    try {
      return await this.#loaded(sessionId, () =>
        this.#toRedis.run(() => this.#redis.claim(sessionId, leaseMs, token)),
      )
    } catch (error) {
      if (hasCode(error, 'SESSION_LOCKED')) {
        await this.#toMongo.run(() => this.#mongo.lease(sessionId, token, null))
      }
      throw error
    }
  }

  /** Only what is there may be opened so: that a session is new, both have to say. */
  async #claimEither(
    sessionId: string,
    leaseMs: number | undefined,
    outage: StoreError,
  ): Promise<BackendClaim> {
    const seen = this.#memory.seenVersion(sessionId) ?? 0
    if (isOutageOf('Redis', outage)) {
      this.#states.of(sessionId).isBehind = true
      await this.#applier.applyOwn(sessionId)
      const { head } = await this.#toMongo.run(() => this.#mongo.read(sessionId, []))
      if (!head.exists || head.version < seen) throw outage
      return this.#toMongo.run(() => this.#mongo.claim(sessionId, leaseMs))
    }
    const peek = await this.#toRedis.run(() => this.#redis.peek(sessionId))
    if (peek.state !== 'live' || peek.version < seen) throw outage
    const claim = await this.#toRedis.run(() => this.#redis.claim(sessionId, leaseMs, undefined))
    await this.#applier.adopt(sessionId)
    return claim
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
