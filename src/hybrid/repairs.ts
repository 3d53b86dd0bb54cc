import { randomUUID } from 'node:crypto'
import type { Guard, Head, LifeMs } from '../core/backend.js'
import type { DurableHead } from '../core/durable-backend.js'
import { hasCode } from '../core/errors.js'
import { fromTrashName } from '../core/names.js'
import { endedToken } from '../core/store/guard.js'
import { formatForks, NO_HEAD } from '../core/store/histories.js'
import { operationsAfter } from '../core/store/operation-ids.js'
import type { DurableSide } from './durable-side.js'
import type { RedisSide } from './redis-side.js'
import { BYPASS_STEP, knowsAll, type RedisView } from './session/compare.js'
import type { SessionRoute } from './session/session-route.js'
import type { SessionState } from './session/sessions.js'

/** The steps of an alignment: each reads or changes a session in one of the two databases. */
export class Repairs {
  readonly #redis: RedisSide
  readonly #durable: DurableSide

  constructor({ redis, durable }: { redis: RedisSide; durable: DurableSide }) {
    this.#redis = redis
    this.#durable = durable
  }

  /** Ignores fields without a head where Redis has all of the session, or knows of its end. */
  async readDurable(sessionId: string, peek: RedisView): Promise<DurableHead> {
    try {
      return await this.#durable.readHead(sessionId)
    } catch (error) {
      if (!hasCode(error, 'SESSION_INCOMPLETE')) throw error
      if (!knowsAll(peek, await this.#durable.highestVersion(sessionId))) throw error
      return NO_HEAD
    }
  }

  /**
   * Prevents a write past Redis whose answer was lost: MongoDB may still be asked to carry it out at any time. That
   * write is a compare-and-set on the head, so it fails once the head has another version.
   */
  async forestall(sessionId: string, route: SessionRoute, lost: Guard): Promise<void> {
    const { exists, isPart, version } = await this.#durable.readHead(sessionId)
    const barrier = {
      ...lost,
      writes: [],
      operationId: randomUUID(),
      above: version,
      expectedVersion: version,
      step: BYPASS_STEP, // one version more may be that of a write that waits in Redis: `covers` would take it for there
    }
    try {
      if (exists && !isPart) await this.#durable.commit(sessionId, barrier) // else that version is gone
    } catch (error) {
      // Another process has changed the head, or owns the session.
      if (!hasCode(error, 'VERSION_MISMATCH') && !hasCode(error, 'FENCED')) throw error
    }
    route.liftBarrier(lost)
  }

  /** `false`: one of the two has changed meanwhile. */
  async loadRedis(sessionId: string, peek: RedisView, { backlog }: SessionState): Promise<boolean> {
    const session = await this.#durable.readWhole(sessionId)
    if (session.head.isPart) return false // it came after the last look: a load would make it the whole session
    return this.#redis.install(sessionId, peek, session, backlog.passedOver)
  }

  /** Writes all of a session again: MongoDB has gone back in time, e.g. by a restored backup, or has let it expire. */
  async restoreDurable(
    sessionId: string,
    { state, version, fence, updatedAtMs }: RedisView,
    durable: DurableHead,
  ): Promise<void> {
    const id = `align.${version}.${updatedAtMs}`
    const operation = { id, version, updatedAtMs }
    const toApplication = (ops: string | undefined) => {
      const operations = [...operationsAfter(ops, durable.version), operation]
      return { version, fencingToken: fence, operations }
    }
    const { head: hot, forks } = await this.#redis.readHistory(sessionId, [])
    if (state === 'deleted') {
      if (hot.exists || hot.version !== version) return // it has changed; the next round compares again
      const application = {
        ...toApplication(hot.ops),
        kind: 'deletion',
        fencingToken: endedToken(fence),
      } as const
      await this.#durable.apply(sessionId, application, [])
      return
    }
    const { head, fields } = await this.#redis.readAll(sessionId)
    if (!head.exists || head.version !== version) return // the same
    const history = { incarnation: head.incarnation, forks: formatForks(forks) }
    const lifeMs = await this.#findLife(sessionId, head)
    // A session that only Redis has kept alive gets a full life in MongoDB.
    const livesFromNow = !durable.exists && lifeMs === undefined
    const whole = { ...toApplication(head.ops), kind: 'session', history, lifeMs, livesFromNow } as const
    await this.#durable.apply(sessionId, whole, fields)
  }

  /** The life of a copy in the trash ends in both databases at once; `undefined`: it is a session's. */
  async #findLife(sessionId: string, { updatedAtMs }: Head): Promise<LifeMs | undefined> {
    if (fromTrashName(sessionId) === undefined) return undefined
    const { expiresAtMs } = await this.#redis.summarize(sessionId)
    return expiresAtMs === undefined ? null : expiresAtMs - updatedAtMs
  }
}
