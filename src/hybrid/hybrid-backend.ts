import type { Field, SessionPage } from '../core/auth-store.js'
import type {
  Backend,
  BackendClaim,
  BackendDeletion,
  ClaimTerms,
  Commit,
  CommitResult,
  Deletion,
  HistoryResult,
  ReadResult,
  SnapshotResult,
  Summary,
} from '../core/backend.js'
import { Calls, CLOSE_MS } from '../core/connection/calls.js'
import { endsWithin } from '../core/ends-within.js'
import { joinLinks, type KnownSituation } from '../core/server-link.js'
import { isOutage, isOutageOf } from './breaker/outage.js'
import type { DurableSide } from './durable-side.js'
import type { HybridDeleter } from './hybrid-deleter.js'
import type { HybridReader } from './hybrid-reader.js'
import type { HybridWriter } from './hybrid-writer.js'
import type { OutboxRelay } from './outbox-relay.js'
import type { Publisher } from './publisher.js'
import type { RedisSide } from './redis-side.js'
import type { SessionOpener } from './session-opener.js'

/** The queue has at least this long to close, however long the earlier steps took. */
const QUEUE_CLOSE_MS = 1000

export interface HybridBackendParts {
  redis: RedisSide
  durable: DurableSide
  relay: OutboxRelay
  reader: HybridReader
  writer: HybridWriter
  deleter: HybridDeleter
  opener: SessionOpener
  publisher: Publisher | undefined
}

/** Redis numbers the writes and answers the reads; MongoDB outlives it. See docs/hybrid-protocol.md. */
export class HybridBackend implements Backend {
  readonly link: KnownSituation
  readonly openingAdvice: string | undefined
  readonly #redis: RedisSide
  readonly #durable: DurableSide
  readonly #relay: OutboxRelay
  readonly #reader: HybridReader
  readonly #writer: HybridWriter
  readonly #deleter: HybridDeleter
  readonly #opener: SessionOpener
  readonly #publisher: Publisher | undefined
  readonly #calls = new Calls('The hybrid store', error => error as Error)

  constructor(parts: HybridBackendParts) {
    this.link = joinLinks(parts.redis.link, parts.durable.link)
    this.openingAdvice = parts.opener.advice
    this.#redis = parts.redis
    this.#durable = parts.durable
    this.#relay = parts.relay
    this.#reader = parts.reader
    this.#writer = parts.writer
    this.#deleter = parts.deleter
    this.#opener = parts.opener
    this.#publisher = parts.publisher
  }

  read(sessionId: string, fields: readonly Field[], fencingToken?: number): Promise<ReadResult> {
    return this.#calls.run(() =>
      this.#reader.read(sessionId, side => side.read(sessionId, fields, fencingToken)),
    )
  }

  readHistory(sessionId: string, fields: readonly Field[]): Promise<HistoryResult> {
    return this.#calls.run(() => this.#reader.readHistory(sessionId, fields))
  }

  summarize(sessionId: string): Promise<Summary> {
    return this.#calls.run(() => this.#reader.summarize(sessionId))
  }

  readAll(sessionId: string): Promise<SnapshotResult> {
    return this.#calls.run(() => this.#reader.read(sessionId, side => side.readAll(sessionId)))
  }

  listFields(sessionId: string, type: string | undefined, fencingToken?: number): Promise<Field[]> {
    return this.#calls.run(async () => {
      const { fields } = await this.#reader.read(sessionId, async side => {
        const fields = await side.listFields(sessionId, type, fencingToken)
        // The reader judges the answers by the head, so it is asked for last: Redis may have gone back in between.
        const { head } = await side.read(sessionId, [], fencingToken)
        return { head, fields }
      })
      return fields
    })
  }

  commit(sessionId: string, commit: Commit): Promise<CommitResult> {
    return this.#calls.run(() => this.#writer.commit(sessionId, commit))
  }

  delete(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    return this.#calls.run(() => this.#deleter.delete(sessionId, deletion))
  }

  claim(sessionId: string, terms: ClaimTerms = {}): Promise<BackendClaim> {
    return this.#calls.run(() => this.#opener.claim(sessionId, terms))
  }

  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    return this.#calls.run(() => this.#writer.lease(sessionId, fencingToken, leaseMs))
  }

  touch(sessionId: string, ttlMs: number | null): Promise<void> {
    return this.#calls.run(() => this.#writer.touch(sessionId, ttlMs))
  }

  /** Asks MongoDB, which keeps an order; while it is away, Redis. A cursor only fits the database that it came from. */
  list(limit: number, cursor = ''): Promise<SessionPage> {
    const [from, position] = [cursor.slice(0, 1), cursor.slice(1) || undefined]
    return this.#calls.run(async () => {
      try {
        if (from !== 'r') {
          await this.#relay.flush().catch(ignoreOutageOfRedis)
          return toPage('m', await this.#durable.list(limit, position))
        }
      } catch (error) {
        if (from === 'm' || !isOutage(error)) throw error
      }
      return toPage('r', await this.#redis.list(limit, position))
    })
  }

  findForeign(sessionId: string): Promise<string | undefined> {
    return this.#calls.run(async () => {
      const sides = [this.#redis, this.#durable]
      const found = await Promise.all(sides.map(side => side.findForeign(sessionId)))
      return found.filter(one => one !== undefined).join(' and ') || undefined
    })
  }

  findEnd(sessionId: string): Promise<number | undefined> {
    return this.#calls.run(
      async () => (await this.#redis.findEnd(sessionId)) ?? this.#durable.findEnd(sessionId),
    )
  }

  /** Resolves as soon as one of the two answers: the other one may never do so. */
  isHealthy(): Promise<boolean> {
    const assertHealthy = async (side: RedisSide | DurableSide) => {
      if (!(await side.isHealthy())) throw new Error('The database is not healthy.')
    }
    return Promise.any([assertHealthy(this.#redis), assertHealthy(this.#durable)]).then(
      () => true,
      () => false,
    )
  }

  /** Waits up to `CLOSE_MS` for MongoDB to have this process's writes. The outbox keeps them in any case. */
  async close(): Promise<void> {
    const dueMs = performance.now() + CLOSE_MS
    const leftMs = () => Math.max(dueMs - performance.now(), 0)
    await this.#calls.close()
    await endsWithin(leftMs(), this.#relay.flush()).catch(() => {})
    this.#relay.close()
    await Promise.all([
      this.#publisher?.close(Math.max(leftMs(), QUEUE_CLOSE_MS)),
      this.#redis.close(leftMs()),
      this.#durable.close(leftMs()),
    ])
  }
}

function ignoreOutageOfRedis(error: unknown): void {
  if (!isOutageOf('Redis', error)) throw error
}

function toPage(from: 'm' | 'r', { sessionIds, cursor }: SessionPage): SessionPage {
  return { sessionIds, cursor: cursor === null ? null : `${from}${cursor}` }
}
