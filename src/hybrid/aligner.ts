import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailableError } from '../core/errors.js'
import type { Head } from '../core/store.js'
import type { MongoBackend } from '../mongodb/mongo-backend.js'
import { type Breaker, LOADING_MS } from './breaker.js'
import type { OutboxApplier } from './outbox-applier.js'
import type { Peek, RedisSide } from './redis-side.js'
import type { SessionStates } from './session-state.js'

/** Attempts that others' writes have overtaken. */
const MAX_ROUNDS = 8
const PAUSE_MS = 10

export interface AlignerParts {
  redis: RedisSide
  toRedis: Breaker
  mongo: MongoBackend
  toMongo: Breaker
  applier: OutboxApplier
  states: SessionStates
}

/** What both databases have said last, at one version. */
export interface Aligned {
  peek: Peek
  head: Head
}

/**
 * Brings Redis and MongoDB to the same version of a session: first what waits in the outbox goes to MongoDB, then
 * whoever is behind is given what the other one has.
 */
export class Aligner {
  readonly #redis: RedisSide
  readonly #toRedis: Breaker
  readonly #mongo: MongoBackend
  readonly #toMongo: Breaker
  readonly #applier: OutboxApplier
  readonly #states: SessionStates
  readonly #underWay = new Map<string, Promise<Aligned>>()

  constructor({ redis, toRedis, mongo, toMongo, applier, states }: AlignerParts) {
    this.#redis = redis
    this.#toRedis = toRedis
    this.#mongo = mongo
    this.#toMongo = toMongo
    this.#applier = applier
    this.#states = states
  }

  /** Throws `STORE_UNAVAILABLE` unless both answer. Who calls while it is under way gets the same result. */
  align(sessionId: string): Promise<Aligned> {
    const known = this.#underWay.get(sessionId)
    if (known) return known
    const aligned = this.#align(sessionId).finally(() => this.#underWay.delete(sessionId))
    this.#underWay.set(sessionId, aligned)
    return aligned
  }

  /** For who has Redis' part of the session as it is, and wants it to be loaded for the next call. */
  alignLater(sessionId: string): void {
    this.align(sessionId).catch(() => {}) // the next call finds the same, and tries again
  }

  async #align(sessionId: string): Promise<Aligned> {
    const state = this.#states.of(sessionId)
    const wasBehind = state.isBehind
    for (let round = 0; round < MAX_ROUNDS; round++) {
      state.isBehind = false // what is found to be late from here on counts
      try {
        await this.#applier.drain(sessionId)
        const peek = await this.#toRedis.run(() => this.#redis.peek(sessionId))
        const { head } = await this.#toMongo.run(() => this.#mongo.read(sessionId, []))
        if (isInStep(peek, head)) {
          this.#states.release(sessionId)
          return { peek, head }
        }
        if (isRedisAhead(peek, head)) await this.#bringToMongo(sessionId, peek)
        else if (isOnlyFenceAhead(peek, head)) await this.#raiseFence(sessionId, peek.fence)
        else await this.#bringToRedis(sessionId, peek)
      } catch (error) {
        state.isBehind ||= wasBehind
        throw error
      }
      await sleep(Math.random() * PAUSE_MS * round)
    }
    state.isBehind = true
    throw new StoreUnavailableError('Redis', 'the session changes faster than it can be loaded.', {
      sessionId,
    })
  }

  async #bringToRedis(sessionId: string, peek: Peek): Promise<void> {
    const session = await this.#toMongo.run(() => this.#mongo.readWhole(sessionId), LOADING_MS)
    await this.#toRedis.run(() => this.#redis.install(sessionId, peek, session), LOADING_MS)
  }

  #raiseFence(sessionId: string, token: number): Promise<void> {
    return this.#toMongo.run(() => this.#mongo.raiseFence(sessionId, token))
  }

  /** MongoDB has gone back, as after a restore: all of the session is written again. */
  async #bringToMongo(sessionId: string, { state, version, fence, updatedAtMs }: Peek): Promise<void> {
    const operation = { id: `align.${version}.${updatedAtMs}`, version, updatedAtMs }
    const application = { version, fencingToken: fence, operations: [operation] }
    if (state === 'deleted') {
      await this.#toMongo.run(() => this.#mongo.apply(sessionId, { ...application, kind: 'deletion' }, []))
      return
    }
    const { head, fields } = await this.#toRedis.run(() => this.#redis.readAll(sessionId), LOADING_MS)
    if (!head.exists || head.version !== version) return // it has changed; another round sees as what
    const whole = { ...application, kind: 'session' } as const
    await this.#toMongo.run(() => this.#mongo.apply(sessionId, whole, fields), LOADING_MS)
  }
}

function isInStep({ state, version, fence }: Peek, head: Head): boolean {
  if (state === 'cold') return false
  if (state === 'live') return head.exists && head.version === version && head.fence === fence
  // Where there is no session, MongoDB may have forgotten its tombstone.
  return !head.exists && head.version <= version
}

/** A session in Redis is believed; that there is none, only where it was deleted. */
function isRedisAhead({ state, version }: Peek, head: Head): boolean {
  if (state === 'live') return version > head.version || (version === head.version && !head.exists)
  return state === 'deleted' && version > head.version
}

/** As after an opening without MongoDB. */
function isOnlyFenceAhead({ state, version, fence }: Peek, head: Head): boolean {
  return state === 'live' && version === head.version && fence > head.fence
}
