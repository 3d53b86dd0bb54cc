import type { Commit, Deletion } from '../core/backend.js'
import { FencedError, hasCode, type StoreError } from '../core/errors.js'
import type { Metrics } from '../core/metrics.js'
import { assertAwaited } from '../core/retry.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import type { Aligner } from './aligner.js'
import { isOutageOf } from './breaker/outage.js'
import type { DurableSide } from './durable-side.js'
import type { Forks } from './forks.js'
import type { OutboxRelay } from './outbox-relay.js'
import type { Publisher } from './publisher.js'
import type { RedisSide } from './redis-side.js'
import { BYPASS_STEP, covers } from './session/compare.js'
import { type AppliedWrite, fenceAfter, type PendingWrite } from './session/pending-write.js'
import type { Taken, TakenOnce } from './session/session-route.js'
import type { Sessions } from './session/sessions.js'

export interface LanesParts {
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

/** The two ways of a write or a deletion: through Redis and on to MongoDB, or past Redis while it is away. */
export class Lanes {
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #relay: OutboxRelay
  readonly #aligner: Aligner
  readonly #forks: Forks
  readonly #sessions: Sessions
  readonly #memory: SessionMemory
  readonly #publisher: Publisher | undefined
  readonly #metrics: Metrics

  constructor(parts: LanesParts) {
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

  /** `toRedis` may run again after a load; `toDurable` is for a Redis that is away. */
  async write<T>(
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
    return this.pastRedis(sessionId, { fencingToken, call }, toDurable)
  }

  /** Leaves Redis out. The next call loads Redis again. */
  async pastRedis<T>(
    sessionId: string,
    { fencingToken, call }: Pick<Commit, 'fencingToken' | 'call'>,
    toDurable: () => Promise<T>,
  ): Promise<T> {
    return this.#sessions.use(sessionId, async ({ route }) => {
      await route.untilRedisIsQuiet()
      assertAwaited(call)
      const result = await route.pastRedis({ fencingToken }, toDurable)
      this.#metrics.count('direct_writes')
      return result
    })
  }

  /** I12: Redis refuses a write at `belowVersion` or above. */
  take<T extends Taken>(
    sessionId: string,
    write: (belowVersion: number) => Promise<T>,
  ): Promise<T & TakenOnce> {
    const seen = () => this.#memory.seenVersion(sessionId)
    const belowVersion = seen() + BYPASS_STEP
    return this.#sessions.of(sessionId).route.take(seen, () => write(belowVersion))
  }

  /** Repeats the write above both histories of a session that have met, and loads Redis. */
  async settle<W extends Commit | Deletion, T>(
    sessionId: string,
    write: W,
    toDurable: (above: W) => Promise<T>,
  ): Promise<T> {
    const result = await this.#forks.outrank(sessionId, write, toDurable)
    await this.#aligner.align(sessionId).catch(() => {}) // the next call finds the same state and tries again
    return result
  }

  /** Applies a write that Redis has taken to MongoDB. Throws the error that prevents it; the relay retries later. */
  async bring(sessionId: string, write: PendingWrite, operationBefore: string): Promise<AppliedWrite> {
    const applied = await this.#relay.apply(sessionId, write, operationBefore)
    const fence = fenceAfter(write)
    if (fence === undefined || applied.fence <= fence) return applied
    throw new FencedError(write.fencingToken ?? 0, applied.fence, { sessionId })
  }

  /** Applies a write that Redis has taken to MongoDB, or passes it on; `undefined`: MongoDB gets it later. */
  async passOn(
    sessionId: string,
    write: PendingWrite,
    operationBefore: string,
  ): Promise<AppliedWrite | undefined> {
    if (this.#publisher) {
      this.#relay.add(sessionId, write, operationBefore)
      this.#publisher.publish(sessionId, write)
      return undefined
    }
    try {
      return await this.bring(sessionId, write, operationBefore)
    } catch (error) {
      // A deletion also ends a damaged session: the caller asks MongoDB for it directly.
      const isRefused = write.kind === 'deletion' && hasCode(error, 'CORRUPT_VALUE')
      if (hasCode(error, 'FENCED') || isRefused) throw error
      return undefined
    }
  }
}
