import { hasCode, maskSessionId, type StoreError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import type { Metrics } from '../core/metrics.js'
import type { SessionMemory } from '../core/session-memory.js'
import { type BackendClaim, CREDS_FIELD } from '../core/store.js'
import { type Aligner, toOvertaken } from './aligner.js'
import { isOutage, isOutageOf } from './breaker.js'
import type { MongoSide } from './mongo-side.js'
import type { OutboxApplier } from './outbox-applier.js'
import type { RedisSide } from './redis-side.js'
import type { SessionStates } from './session-state.js'

const MAX_ATTEMPTS = 3

export interface SessionOpenerParts {
  redis: RedisSide
  mongo: MongoSide
  applier: OutboxApplier
  aligner: Aligner
  states: SessionStates
  memory: SessionMemory
  /** Open a session while one of the two is away. */
  opensDegraded: boolean
  logger: Logger
  metrics: Metrics
}

/** Takes the ownership of a session: the same fencing token in both databases. */
export class SessionOpener {
  readonly #redis: RedisSide
  readonly #mongo: MongoSide
  readonly #applier: OutboxApplier
  readonly #aligner: Aligner
  readonly #states: SessionStates
  readonly #memory: SessionMemory
  readonly #opensDegraded: boolean
  readonly #logger: Logger
  readonly #metrics: Metrics

  constructor(parts: SessionOpenerParts) {
    this.#redis = parts.redis
    this.#mongo = parts.mongo
    this.#applier = parts.applier
    this.#aligner = parts.aligner
    this.#states = parts.states
    this.#memory = parts.memory
    this.#opensDegraded = parts.opensDegraded
    this.#logger = parts.logger
    this.#metrics = parts.metrics
  }

  async claim(sessionId: string, leaseMs: number | undefined): Promise<BackendClaim> {
    const both = () => this.#claimLoaded(sessionId, leaseMs)
    try {
      // One lost connection is no outage: what opens with one of the two may go back to what that one has.
      return await both().catch(error => {
        if (isOutage(error) && this.#opensDegraded) return both()
        throw error
      })
    } catch (error) {
      if (!isOutage(error) || !this.#opensDegraded) throw error
      const outage = error as StoreError
      const claim = isOutageOf('Redis', outage)
        ? await this.#claimMongo(sessionId, leaseMs, outage)
        : await this.#claimRedis(sessionId, leaseMs, outage)
      this.#metrics.count('degraded_opens')
      const about = { sessionId: maskSessionId(sessionId), reason: outage.message }
      this.#logger.warn(about, 'a session was opened while one of Redis and MongoDB was away')
      return claim
    }
  }

  async #claimLoaded(sessionId: string, leaseMs: number | undefined): Promise<BackendClaim> {
    for (let attempts = 1; ; attempts++) {
      try {
        return await this.#claimBoth(sessionId, leaseMs)
      } catch (error) {
        if (!hasCode(error, 'COLD')) throw error
        if (attempts === MAX_ATTEMPTS) throw toOvertaken(sessionId, error) // evicted just now, each time
      }
    }
  }

  /** Redis refuses earlier owners now, and has nothing of theirs that MongoDB lacks: a Redis that has comes from before. */
  async #claimBoth(sessionId: string, leaseMs: number | undefined): Promise<BackendClaim> {
    const claim = await this.#claimInTurn(sessionId, leaseMs)
    await this.#mongo.bar(sessionId, claim.fencingToken)
    return claim
  }

  /** MongoDB first: the token that Redis is given then is above all that either has handed out. */
  async #claimInTurn(sessionId: string, leaseMs: number | undefined): Promise<BackendClaim> {
    const { peek } = await this.#aligner.align(sessionId)
    const durable = await this.#mongo.claim(sessionId, leaseMs, peek.fence)
    const token = durable.fencingToken
    const hot = await this.#redis.claim(sessionId, leaseMs, token).catch(async error => {
      if (hasCode(error, 'SESSION_LOCKED')) await this.#mongo.lease(sessionId, token, null)
      throw error
    })
    if (hot.fencingToken !== token) await this.#mongo.raiseFence(sessionId, hot.fencingToken)
    const { exists, version } = durable.head
    if (hot.head.exists === exists && hot.head.version === version) return hot
    // Somebody has written between the two.
    await this.#aligner.align(sessionId)
    const { head, values } = await this.#redis.read(sessionId, [CREDS_FIELD])
    return { fencingToken: hot.fencingToken, head, creds: values[0] }
  }

  /** Only what is there may be opened so: that a session is new, both have to say. */
  async #claimMongo(
    sessionId: string,
    leaseMs: number | undefined,
    outage: StoreError,
  ): Promise<BackendClaim> {
    this.#states.of(sessionId).noteDivergence()
    await this.#applier.applyOwn(sessionId)
    const head = await this.#mongo.readHead(sessionId)
    if (!head.exists || head.version < this.#memory.seenVersion(sessionId)) throw outage
    return this.#mongo.claim(sessionId, leaseMs)
  }

  /** What waits in the outbox is this process's from now on, so that it may go on without Redis later. */
  async #claimRedis(
    sessionId: string,
    leaseMs: number | undefined,
    outage: StoreError,
  ): Promise<BackendClaim> {
    const { state, version } = await this.#redis.peek(sessionId)
    if (state !== 'live' || version < this.#memory.seenVersion(sessionId)) throw outage
    const claim = await this.#redis.claim(sessionId, leaseMs, undefined)
    await this.#applier.adopt(sessionId)
    return claim
  }
}
