import { type BackendClaim, type ClaimTerms, CREDS_FIELD } from '../core/backend.js'
import type { DurableClaim } from '../core/durable-backend.js'
import { SessionLockedError, type StoreError } from '../core/errors.js'
import { KeyedMutex } from '../core/keyed-mutex.js'
import type { Logger } from '../core/logger.js'
import { maskSessionId } from '../core/masking.js'
import type { Metrics } from '../core/metrics.js'
import { assertAwaited } from '../core/retry.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import type { Aligned, Aligner } from './aligner.js'
import { isOutage, isOutageOf } from './breaker/outage.js'
import type { DurableSide } from './durable-side.js'
import type { OutboxRelay } from './outbox-relay.js'
import type { RedisSide } from './redis-side.js'
import { covers, isOpenable } from './session/compare.js'
import type { Sessions } from './session/sessions.js'

export interface SessionOpenerParts {
  redis: RedisSide
  durable: DurableSide
  relay: OutboxRelay
  aligner: Aligner
  sessions: Sessions
  memory: SessionMemory
  /** Open a session while one of the two databases is away. */
  opensDegraded: boolean
  logger: Logger
  metrics: Metrics
}

const ADVICE =
  'An opening needs both databases, unless "degradedOpen" is true: docs/hybrid.md says what that may cost.'

/** Takes the ownership of a session: gives both databases the same fencing token. */
export class SessionOpener {
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #relay: OutboxRelay
  readonly #aligner: Aligner
  readonly #sessions: Sessions
  readonly #memory: SessionMemory
  readonly #opensDegraded: boolean
  readonly #logger: Logger
  readonly #metrics: Metrics
  /** One opening of a session at a time: two in this process would only fence each other. */
  readonly #turns = new KeyedMutex()

  constructor(parts: SessionOpenerParts) {
    this.#redis = parts.redis
    this.#durable = parts.durable
    this.#relay = parts.relay
    this.#aligner = parts.aligner
    this.#sessions = parts.sessions
    this.#memory = parts.memory
    this.#opensDegraded = parts.opensDegraded
    this.#logger = parts.logger
    this.#metrics = parts.metrics
  }

  get advice(): string | undefined {
    return this.#opensDegraded ? undefined : ADVICE
  }

  claim(sessionId: string, terms: ClaimTerms): Promise<BackendClaim> {
    return this.#turns.run(sessionId, async () => {
      assertAwaited(terms.call)
      return this.#claim(sessionId, terms)
    })
  }

  async #claim(sessionId: string, terms: ClaimTerms): Promise<BackendClaim> {
    // `COLD` from Redis: evicted just now, or another process claimed later in MongoDB and sooner in Redis. Repeat.
    const claimBoth = (aligned: Aligned | undefined) => this.#claimBoth(sessionId, terms, aligned)
    const both = () => this.#aligner.withLoaded(sessionId, claimBoth, { call: terms.call })
    try {
      // Tries twice: one lost connection is no outage, and an opening with one database may go back to an older state.
      return await both().catch(error => {
        if (isOutage(error) && this.#opensDegraded) return both()
        throw error
      })
    } catch (error) {
      if (!isOutage(error)) throw error
      if (!this.#opensDegraded) throw error
      const outage = error as StoreError
      const claim = isOutageOf('Redis', outage)
        ? await this.#claimDurable(sessionId, terms, outage)
        : await this.#claimRedis(sessionId, terms, outage)
      this.#metrics.count('degraded_opens')
      const about = { sessionId: maskSessionId(sessionId), reason: outage.message }
      this.#logger.warn(about, 'a session was opened while one of Redis and MongoDB was away')
      return claim
    }
  }

  /** I10: MongoDB first. The token then given to Redis is above all tokens of both databases. */
  async #claimBoth(
    sessionId: string,
    terms: ClaimTerms,
    aligned: Aligned | undefined,
  ): Promise<BackendClaim> {
    const { leaseMs, call } = terms
    const { peek } = aligned ?? (await this.#aligner.align(sessionId))
    // The owner may have renewed its lease in Redis alone, while MongoDB was away. A claim in MongoDB would end it.
    if (peek.leaseMs > 0) throw new SessionLockedError(peek.leaseMs, { sessionId })
    await this.#redis.assertOneWriter()
    assertAwaited(call)
    const durable = await this.#durable.claimAfter(sessionId, terms, peek.fence)
    const { fencingToken } = durable
    try {
      assertAwaited(call)
      const hot = await this.#redis.claim(sessionId, terms, fencingToken)
      return await this.#finish(sessionId, durable, hot)
    } catch (error) {
      // Otherwise the next attempt would take this lease for another owner's.
      if (leaseMs !== undefined) await this.#giveBack(sessionId, fencingToken)
      throw error
    }
  }

  /**
   * I11: Redis now refuses earlier owners, and MongoDB has all that they wrote. If a write of theirs turns up later,
   * Redis took it after it had lost this claim.
   */
  async #finish(sessionId: string, durable: DurableClaim, hot: BackendClaim): Promise<BackendClaim> {
    const { fencingToken } = hot
    const { exists, version } = durable.head
    const isInStep = hot.head.exists === exists && hot.head.version === version
    const claim = isInStep ? hot : await this.#readAnew(sessionId, fencingToken)
    await this.#durable.bar(sessionId, fencingToken)
    return claim
  }

  /** Another process has written between the two claims. */
  async #readAnew(sessionId: string, fencingToken: number): Promise<BackendClaim> {
    await this.#aligner.alignAnew(sessionId)
    const { head, values } = await this.#redis.read(sessionId, [CREDS_FIELD])
    return { fencingToken, head, creds: values[0] }
  }

  /** Ends the lease in each database where this token holds it. */
  async #giveBack(sessionId: string, token: number): Promise<void> {
    await Promise.allSettled([
      this.#durable.lease(sessionId, token, null),
      this.#redis.lease(sessionId, token, null),
    ])
  }

  /** I13: opens only a session that exists. That a session is new, both databases have to say. */
  async #claimDurable(sessionId: string, terms: ClaimTerms, outage: StoreError): Promise<BackendClaim> {
    this.#sessions.of(sessionId).route.noteApart()
    await this.#relay.applyOwn(sessionId)
    const head = await this.#durable.readHead(sessionId)
    const { hotVersions } = this.#memory
    if (!covers(head, this.#memory.seenVersion(sessionId), hotVersions.of(sessionId))) throw outage
    assertAwaited(terms.call)
    return this.#durable.claim(sessionId, terms)
  }

  /** Adopts the entries in the outbox as writes of this process, so that it can go on without Redis later. */
  async #claimRedis(sessionId: string, terms: ClaimTerms, outage: StoreError): Promise<BackendClaim> {
    const found = await this.#redis.peek(sessionId)
    await this.#redis.assertOneWriter()
    if (!isOpenable(found, this.#memory.seenVersion(sessionId))) throw outage
    assertAwaited(terms.call)
    const claim = await this.#redis.claim(sessionId, terms, undefined)
    try {
      await this.#relay.adopt(sessionId)
    } catch (error) {
      if (terms.leaseMs !== undefined) await this.#giveBack(sessionId, claim.fencingToken)
      throw error
    }
    return claim
  }
}
