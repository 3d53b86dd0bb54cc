import type { Field, SessionPage } from '../core/auth-store.js'
import type {
  BackendClaim,
  ClaimTerms,
  Commit,
  Deletion,
  Guard,
  HistoryResult,
  ReadResult,
  SnapshotResult,
  Summary,
} from '../core/backend.js'
import { Calls } from '../core/connection/calls.js'
import type { WholeSession } from '../core/durable-backend.js'
import type { Logger } from '../core/logger.js'
import type { ServerLink } from '../core/server-link.js'
import type { HighestVersions } from '../core/store/highest-versions.js'
import { graceMsOf } from '../core/store/life.js'
import type { RedisClient } from '../redis/client.js'
import type { RedisConnection } from '../redis/connection.js'
import type { KeyNames } from '../redis/key-names.js'
import { RedisBackend } from '../redis/redis-backend.js'
import { toRefusal, toStoreError } from '../redis/redis-errors.js'
import { toClaim } from '../redis/replies.js'
import {
  type Bounded,
  type EntryInput,
  lifetimeOf,
  toClaimInput,
  toCommitInput,
  toDeletionInput,
} from '../redis/script-input.js'
import { type Argument, defineScripts, type Reply, type RunScript, withSession } from '../redis/scripts.js'
import { SessionScripts } from '../redis/session-scripts.js'
import { type Breaker, LOADING_MS } from './breaker/breaker.js'
import { CollectionMark } from './collection-mark.js'
import install from './lua/install.lua'
import peek from './lua/peek.lua'
import { Outbox, type PassedOver } from './outbox/outbox.js'
import type { OutboxEntry } from './outbox/outbox-entry.js'
import { seal, sealVersions } from './outbox/sealed-patch.js'
import {
  type RedisCommit,
  type RedisDeletion,
  toRedisCommit,
  toRedisDeletion,
  toRedisView,
} from './replies.js'
import { checkCount, toEntryInput, toInstallInput } from './script-input.js'
import type { RedisView } from './session/compare.js'

export interface RedisSideOptions {
  connection: RedisConnection
  /** Made with `hasOutbox`. */
  names: KeyNames
  /** `null` is for ever. */
  ttlMs: number | null
  /** Most entries that the outbox of a session may hold. */
  maxEntries: number
  /** The MongoDB collection, with its database. Redis keeps it, and refuses another one. Default: not checked. */
  collection?: string | undefined
  breaker: Breaker
  /** Notes every version that Redis answers. */
  seen: HighestVersions
  release: () => Promise<void>
  /** Instead of the server's clock. */
  now?: (() => number) | undefined
  logger?: Logger | undefined
}

const SOURCES = withSession({ peek, install })

/**
 * Redis as the hot side of the hybrid store: the same two hashes as those of the Redis store, and the outbox. Every
 * call goes through the circuit breaker.
 */
export class RedisSide {
  readonly breaker: Breaker
  /** The outboxes of all sessions. */
  readonly outbox: Outbox
  readonly #backend: RedisBackend
  readonly #connection: RedisConnection
  readonly #ttlMs: number | null
  readonly #maxEntries: number
  readonly #seen: HighestVersions
  readonly #calls = new Calls('The hybrid store', error => toStoreError(error, this.#connection.link))
  readonly #sessions: SessionScripts
  readonly #scripts: Record<keyof typeof SOURCES, RunScript>
  readonly #mark: CollectionMark | undefined

  constructor(options: RedisSideOptions) {
    const { connection, names, ttlMs, maxEntries, collection, breaker, seen, now } = options
    this.breaker = breaker
    this.#backend = new RedisBackend(options)
    this.#connection = connection
    this.#ttlMs = ttlMs
    this.#maxEntries = maxEntries
    this.#seen = seen
    const calls = this.#calls
    this.#sessions = new SessionScripts({ names, calls, now })
    this.#scripts = defineScripts(connection.client, SOURCES)
    this.outbox = new Outbox({ connection, names, breaker, calls, sessions: this.#sessions })
    if (collection !== undefined) {
      const send = <T>(command: (client: RedisClient) => Promise<T>) =>
        calls.run(() => command(connection.client))
      const mark = new CollectionMark({ send, key: names.collectionMark, collection })
      this.#mark = mark
      breaker.prepare = () => mark.check()
    }
  }

  async read(sessionId: string, fields: readonly Field[], fencingToken?: number): Promise<ReadResult> {
    const result = await this.breaker.run(() => this.#backend.read(sessionId, fields, fencingToken))
    this.#seen.note(sessionId, result.head.version)
    return result
  }

  /** Same as `read`, with the operations that the session remembers. */
  async readExactly(sessionId: string, fields: readonly Field[], fencingToken?: number): Promise<ReadResult> {
    const result = await this.breaker.run(() => this.#backend.readExactly(sessionId, fields, fencingToken))
    this.#seen.note(sessionId, result.head.version)
    return result
  }

  async readHistory(sessionId: string, fields: readonly Field[]): Promise<HistoryResult> {
    const result = await this.breaker.run(() => this.#backend.readHistory(sessionId, fields))
    this.#seen.note(sessionId, result.head.version)
    return result
  }

  async readAll(sessionId: string): Promise<SnapshotResult> {
    const result = await this.breaker.run(() => this.#backend.readAll(sessionId), LOADING_MS)
    this.#seen.note(sessionId, result.head.version)
    return result
  }

  summarize(sessionId: string): Promise<Summary> {
    return this.breaker.run(() => this.#backend.summarize(sessionId))
  }

  listFields(sessionId: string, type: string | undefined, fencingToken?: number): Promise<Field[]> {
    return this.breaker.run(() => this.#backend.listFields(sessionId, type, fencingToken), LOADING_MS)
  }

  list(limit: number, cursor: string | undefined): Promise<SessionPage> {
    return this.breaker.run(() => this.#backend.list(limit, cursor))
  }

  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    return this.breaker.run(() => this.#backend.lease(sessionId, fencingToken, leaseMs))
  }

  touch(sessionId: string, ttlMs: number | null): Promise<void> {
    return this.breaker.run(() => this.#backend.touch(sessionId, ttlMs))
  }

  get link(): ServerLink {
    return this.#backend.link
  }

  findForeign(sessionId: string): Promise<string | undefined> {
    return this.breaker.run(() => this.#backend.findForeign(sessionId))
  }

  findEnd(sessionId: string): Promise<number | undefined> {
    return this.breaker.run(() => this.#backend.findEnd(sessionId))
  }

  /** Asks the server even while the breaker is open. */
  isHealthy(): Promise<boolean> {
    return this.#backend.isHealthy()
  }

  async commit(sessionId: string, commit: Commit & Bounded): Promise<RedisCommit> {
    const { fencingToken, operationId, writes, fork, lifeMs } = commit
    checkCount(sessionId, writes)
    const values = { patch: seal(writes), versions: sealVersions(writes) }
    const members = { ...values, fencingToken, operationId, fork, lifeMs }
    const entry = this.#toEntry(sessionId, members)
    const input = toCommitInput(commit, lifetimeOf(sessionId, this.#ttlMs), entry)
    if (!this.#isMarked) await this.#leaveMark()
    const taken = toRedisCommit(await this.#run(this.#connection.scripts.commit, sessionId, input, commit))
    this.#seen.note(sessionId, taken.version)
    return taken
  }

  async delete(sessionId: string, deletion: Deletion & Bounded): Promise<RedisDeletion> {
    const { operationId } = deletion
    const input = toDeletionInput(deletion, this.#toEntry(sessionId, { operationId, deletion: true }))
    if (!this.#isMarked) await this.#leaveMark()
    const taken = toRedisDeletion(
      await this.#run(this.#connection.scripts.delete, sessionId, input, deletion),
    )
    this.#seen.note(sessionId, taken.version)
    return taken
  }

  /**
   * `token`: MongoDB's; throws `COLD` if Redis has handed out one as high. Without `token`, Redis takes its next one.
   */
  async claim(sessionId: string, terms: ClaimTerms, token: number | undefined): Promise<BackendClaim> {
    const input = toClaimInput(lifetimeOf(sessionId, this.#ttlMs), terms, token)
    if (!this.#isMarked) await this.#leaveMark()
    const claim = toClaim(await this.#run(this.#connection.scripts.claim, sessionId, input))
    this.#seen.note(sessionId, claim.head.version)
    return claim
  }

  /** Same as `assertOneWriter` of `RedisConnection`. Call it before a claim takes a token of either database. */
  assertOneWriter(): Promise<void> {
    return this.#connection.assertOneWriter()
  }

  /** `operationIds`: those that Redis may remember. */
  async peek(sessionId: string, operationIds: readonly string[] = []): Promise<RedisView> {
    return toRedisView(await this.#run(this.#scripts.peek, sessionId, operationIds))
  }

  /** `false`: Redis has changed since `found`, or an entry waits in the outbox that is not in `parked`. */
  async install(
    sessionId: string,
    found: RedisView,
    session: WholeSession,
    parked: PassedOver,
  ): Promise<boolean> {
    const input = toInstallInput(found, session, graceMsOf(sessionId), parked)
    if (!this.#isMarked) await this.#leaveMark()
    const reply = await this.breaker.run(
      () => this.#sessions.try(this.#scripts.install, sessionId, input),
      LOADING_MS,
    )
    if (reply[0] === 0 && String(reply[1]) !== 'RETRY') throw toRefusal(sessionId, {}, reply)
    return reply[0] === 1
  }

  async close(timeoutMs?: number): Promise<void> {
    await Promise.all([this.#calls.close(timeoutMs), this.#backend.close(timeoutMs)])
    this.breaker.close()
  }

  async #run(
    script: RunScript,
    sessionId: string,
    input: readonly Argument[],
    guard?: Guard,
  ): Promise<Reply> {
    this.#connection.assertUsable()
    return this.breaker.run(() => this.#sessions.run(script, sessionId, input, guard))
  }

  get #isMarked(): boolean {
    return this.#mark?.isFound !== false
  }

  /** Before the first write of this store: a store whose collection is refused leaves no mark. */
  async #leaveMark(): Promise<void> {
    await this.breaker.run(async () => this.#mark?.leave())
  }

  #toEntry(sessionId: string, members: Partial<OutboxEntry>): EntryInput {
    return toEntryInput(this.#maxEntries, sessionId, members)
  }
}
