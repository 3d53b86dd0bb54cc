import type { Field } from '../core/auth-store.js'
import type { Backend, Head, HistoryResult, Summary } from '../core/backend.js'
import type { DurableHead } from '../core/durable-backend.js'
import type { StoreError } from '../core/errors.js'
import type { Metrics } from '../core/metrics.js'
import { continuesFrom, type KnownHistory } from '../core/store/histories.js'
import type { SessionMemory } from '../core/store/session-memory.js'
import { isCold } from '../redis/protocol-errors.js'
import type { Aligner } from './aligner.js'
import { isOutage, isOutageOf } from './breaker/outage.js'
import { Contention } from './contention.js'
import type { DurableSide } from './durable-side.js'
import type { OutboxRelay } from './outbox-relay.js'
import type { RedisSide } from './redis-side.js'
import { covers, isBelievable, judge } from './session/compare.js'
import type { Sessions } from './session/sessions.js'
import { joinSummaries } from './summaries.js'

/** The questions that both databases can answer. */
export type Side = Pick<Backend, 'read' | 'readAll' | 'readHistory' | 'listFields'>

export interface HybridReaderParts {
  redis: RedisSide
  durable: DurableSide
  relay: OutboxRelay
  aligner: Aligner
  sessions: Sessions
  memory: SessionMemory
  metrics: Metrics
  /** The deadline of one call of the store. */
  timeoutMs: number
}

/** Asks Redis while its answers are believable, else MongoDB. */
export class HybridReader {
  readonly #redis: RedisSide
  /** Redis, with the operations that it remembers in every answer. */
  readonly #exactRedis: Side
  readonly #durable: DurableSide
  readonly #relay: OutboxRelay
  readonly #aligner: Aligner
  readonly #sessions: Sessions
  readonly #memory: SessionMemory
  readonly #metrics: Metrics
  readonly #timeoutMs: number

  constructor(parts: HybridReaderParts) {
    const { redis } = parts
    this.#redis = redis
    this.#exactRedis = {
      read: (...asked) => redis.readExactly(...asked),
      readAll: sessionId => redis.readAll(sessionId),
      readHistory: (...asked) => redis.readHistory(...asked),
      listFields: (...asked) => redis.listFields(...asked),
    }
    this.#durable = parts.durable
    this.#relay = parts.relay
    this.#aligner = parts.aligner
    this.#sessions = parts.sessions
    this.#memory = parts.memory
    this.#metrics = parts.metrics
    this.#timeoutMs = parts.timeoutMs
  }

  async read<T extends { head: DurableHead }>(
    sessionId: string,
    ask: (side: Side) => Promise<T>,
  ): Promise<T> {
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
    return this.#readDurably(sessionId, ask, outage)
  }

  /**
   * Asks both, and joins their answers. Loads nothing into Redis: a catalogue goes over all sessions, and most of them may
   * be cold. Only a read tells that there is no session.
   */
  async summarize(sessionId: string): Promise<Summary> {
    const asked = [this.#redis.summarize(sessionId), this.#durable.summarize(sessionId)]
    const answers = await Promise.allSettled(asked)
    const found = answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []))
    const errors = answers.flatMap(answer => (answer.status === 'rejected' ? [answer.reason] : []))
    const fault = errors.find(error => !isCold(error) && !isOutage(error))
    if (fault !== undefined) throw fault
    const summary = joinSummaries(found)
    if (summary?.head.exists) return summary
    return this.read(sessionId, side => side.read(sessionId, []))
  }

  /** Redis forgets which version wrote a field when the session is loaded. MongoDB knows it, once the two are in step. */
  async readHistory(sessionId: string, fields: readonly Field[]): Promise<HistoryResult> {
    const found = await this.read(sessionId, side => side.readHistory(sessionId, fields))
    if (!found.versions.includes(undefined)) return found
    try {
      await this.#aligner.align(sessionId)
      const { head, versions } = await this.#durable.readHistory(sessionId, fields)
      const isSame = head.version === found.head.version && head.incarnation === found.head.incarnation
      return isSame ? { ...found, versions: joinVersions(found, versions) } : found
    } catch (error) {
      if (!isOutage(error)) throw error
      return found
    }
  }

  /** `undefined`: Redis does not have the session; it is being loaded. */
  async #readRedis<T extends { head: DurableHead }>(
    sessionId: string,
    ask: (side: Side) => Promise<T>,
  ): Promise<T | undefined> {
    const known = this.#memory.history(sessionId)
    const token = this.#memory.token(sessionId) ?? 0
    if (this.#sessions.routeOf(sessionId)?.isApart) await this.#aligner.align(sessionId)
    let contention: Contention | undefined
    let hasLoaded = false
    for (;;) {
      try {
        const first = await ask(this.#redis)
        const isExact = this.#tellsHistory(sessionId, known, first.head)
        const result = isExact ? first : await ask(this.#exactRedis)
        const { exists, version, fence } = result.head
        // An answer to a write, sent before this read, may show that Redis has lost other writes; then this read misses
        // them too. Answers come in order but may arrive together: one turn of the event loop lets those be examined
        // first.
        if (this.#sessions.routeOf(sessionId)?.hasUnanswered)
          await new Promise(resolve => setImmediate(resolve))
        const verdict = hasLoaded ? 'continues' : judge(known, result.head)
        if (verdict !== 'continues') await this.#examine(sessionId, verdict)
        const mustReload = this.#sessions.routeOf(sessionId)?.mustReload ?? false
        const isNew = isBelievable(result.head, known.version, token)
        if (isNew && !mustReload) return result
        if (contention) await contention.pause()
        contention ??= new Contention(sessionId, this.#timeoutMs)
        const { peek, head } = await this.#aligner.align(sessionId)
        hasLoaded ||= mustReload
        // Both databases have no session, or both are behind: the caller's rewind guard heals what this process has
        // seen. A session that has expired in Redis alone is there again at the same version.
        const isSame = peek.version === version && peek.fence === fence && head.exists === exists
        if (!mustReload && isSame) return result
      } catch (error) {
        if (!isCold(error)) throw error
        await this.#relay.drain(sessionId)
        this.#aligner.alignLater(sessionId)
        return undefined
      }
    }
  }

  /**
   * Finds out whether Redis lacks what this process has seen or written. If a load from MongoDB does not bring it back,
   * both have lost it, and the caller's rewind guard finds the same.
   */
  async #examine(sessionId: string, verdict: 'diverged' | 'other'): Promise<void> {
    if (verdict === 'diverged') this.#sessions.of(sessionId).route.noteFork()
    // A write of this process that has not reached MongoDB may be missing; if it comes late there, the relay finds that.
    else await this.#relay.applyOwn(sessionId)
  }

  /**
   * Whether the answer can be compared with the known history; otherwise Redis has to tell the operations as well. A
   * load may have brought the last operation seen, which another process has written, without an earlier own one.
   */
  #tellsHistory(sessionId: string, known: KnownHistory, head: Head): boolean {
    if (head.ops !== undefined || this.#memory.isOwnAfter(known, head)) return true
    const mayLackOwn = known.own !== undefined && this.#sessions.hasBacklog(sessionId)
    return !mayLackOwn && continuesFrom(known, head)
  }

  /** Asks MongoDB, which must have all that this process has written. `outage`: why Redis was not asked. */
  async #readDurably<T extends { head: DurableHead }>(
    sessionId: string,
    ask: (side: Side) => Promise<T>,
    outage: StoreError | undefined,
  ): Promise<T> {
    const seen = this.#memory.seenVersion(sessionId)
    if (outage) await this.#relay.applyOwn(sessionId)
    const result = await ask(this.#durable)
    this.#metrics.count('mongo_fallbacks')
    const isWhole = result.head.exists && !result.head.isPart
    if (!outage && !isWhole) await this.#aligner.assertNotLost(sessionId, result.head)
    // Redis may have what MongoDB lacks.
    if (outage && !covers(result.head, seen, this.#memory.hotVersions.of(sessionId))) throw outage
    return result
  }
}

/**
 * `durable`: MongoDB's versions of the same fields. Of a field that Redis lacks, a version from before the last heal is
 * that of a left-over: a later heal by another process may have made it visible in MongoDB alone.
 */
function joinVersions({ versions, forks: [last] }: HistoryResult, durable: HistoryResult['versions']) {
  const isLeftOver = (version = 0) => last !== undefined && version < last.to
  return durable.map((version, i) => (versions[i] === 0 && isLeftOver(version) ? 0 : version))
}
