import { randomUUID } from 'node:crypto'
import { Calls } from '../core/calls.js'
import {
  type BackendClaim,
  type Commit,
  CREDS_FIELD,
  type Deletion,
  type Field,
  type Guard,
  type ReadResult,
  type SessionPage,
  type SnapshotResult,
} from '../core/store.js'
import type { WholeSession } from '../mongodb/mongo-backend.js'
import { keyPrefixOf, mastersOf } from '../redis/client.js'
import type { RedisConnection } from '../redis/connection.js'
import { fieldName, type KeyNames } from '../redis/key-names.js'
import { RedisBackend } from '../redis/redis-backend.js'
import { toStoreError } from '../redis/redis-errors.js'
import { toClaim } from '../redis/replies.js'
import {
  type EntryInput,
  GRACE_MS,
  orNone,
  TOMBSTONE_MS,
  toBuffer,
  toClaimInput,
  toCommitInput,
  toDeletionInput,
} from '../redis/script-input.js'
import { type Argument, defineScripts, type Reply, type RunScript, withSession } from '../redis/scripts.js'
import { SessionScripts } from '../redis/session-scripts.js'
import { type Breaker, LOADING_MS } from './breaker.js'
import ack from './lua/ack.lua'
import install from './lua/install.lua'
import mark from './lua/mark.lua'
import peek from './lua/peek.lua'
import unlock from './lua/unlock.lua'
import { type OutboxEntry, parseEntry, seal } from './outbox-entry.js'

/** Entries that are taken from an outbox at once. */
const PAGE = 128
const SCAN_COUNT = 500

export interface RedisSideOptions {
  connection: RedisConnection
  /** With an outbox. */
  names: KeyNames
  /** `null` is for ever. */
  ttlMs: number | null
  /** Most entries that the outbox of a session may hold. */
  maxEntries: number
  breaker: Breaker
  release: () => Promise<void>
  /** Instead of the server's clock. */
  now?: (() => number) | undefined
}

export interface RedisCommit {
  version: number
  updatedAtMs: number
  /** Whether it has changed anything, and is in the outbox. */
  isEntered: boolean
  /** Whether the session began with it. */
  begins: boolean
  /** Entries in the outbox, its own among them. */
  waiting: number
}

export interface RedisDeletion {
  version: number
  /** Of the tombstone: above every token that was handed out. */
  fence: number
  /** Whether there was a session to remove. */
  isEntered: boolean
  waiting: number
}

export interface Peek {
  state: 'cold' | 'live' | 'vacant' | 'deleted' | 'expired'
  version: number
  fence: number
  updatedAtMs: number
}

export interface StoredEntry {
  version: number
  /** `undefined`: what lies there is no entry. */
  entry: OutboxEntry | undefined
}

export interface OutboxPage {
  entries: StoredEntry[]
  /** Of all entries but those that were left out. */
  count: number
  /** Entries of higher versions are not among them. */
  lastVersion: number
}

const SOURCES = { peek, install, ack, mark }
type OwnScripts = Record<keyof typeof SOURCES | 'unlock', RunScript>

/**
 * Redis as the hot side of the hybrid store: the same two hashes as those of the Redis store, and the outbox. Every
 * call goes through the circuit breaker.
 */
export class RedisSide {
  readonly breaker: Breaker
  readonly #backend: RedisBackend
  readonly #connection: RedisConnection
  readonly #names: KeyNames
  readonly #ttlMs: number | null
  readonly #maxEntries: number
  readonly #calls = new Calls('The hybrid store', toStoreError)
  readonly #sessions: SessionScripts
  readonly #scripts: OwnScripts
  readonly #lockHolder = randomUUID()

  constructor(options: RedisSideOptions) {
    const { connection, names, ttlMs, maxEntries, breaker, now } = options
    this.breaker = breaker
    this.#backend = new RedisBackend(options)
    this.#connection = connection
    this.#names = names
    this.#ttlMs = ttlMs
    this.#maxEntries = maxEntries
    this.#sessions = new SessionScripts({ names, calls: this.#calls, now })
    this.#scripts = defineScripts(connection.client, { ...withSession(SOURCES), unlock })
  }

  read(sessionId: string, fields: readonly Field[]): Promise<ReadResult> {
    return this.breaker.run(() => this.#backend.read(sessionId, fields))
  }

  readAll(sessionId: string): Promise<SnapshotResult> {
    return this.breaker.run(() => this.#backend.readAll(sessionId), LOADING_MS)
  }

  listFields(sessionId: string, type: string | undefined): Promise<Field[]> {
    return this.breaker.run(() => this.#backend.listFields(sessionId, type), LOADING_MS)
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

  /** Whatever the breaker says. */
  isHealthy(): Promise<boolean> {
    return this.#backend.isHealthy()
  }

  async commit(sessionId: string, commit: Commit): Promise<RedisCommit> {
    const { fencingToken, operationId, writes } = commit
    const entry = this.#toEntry(sessionId, { patch: seal(writes), fencingToken, operationId })
    const input = toCommitInput(commit, this.#ttlMs, entry)
    const reply = await this.#run(this.#connection.scripts.commit, sessionId, input, commit)
    const [, version, updatedAtMs, effect, waiting] = reply as [1, number, number, number, number]
    return { version, updatedAtMs, isEntered: effect > 0, begins: effect === 2, waiting }
  }

  async delete(sessionId: string, deletion: Deletion): Promise<RedisDeletion> {
    const { operationId } = deletion
    const input = toDeletionInput(deletion, this.#toEntry(sessionId, { operationId }))
    const reply = await this.#run(this.#connection.scripts.delete, sessionId, input, deletion)
    const [, version, fence, isEntered, waiting] = reply as [1, number, number, number, number]
    return { version, fence, isEntered: isEntered === 1, waiting }
  }

  /** `after`: the token to take, unless a higher one has been handed out here. */
  async claim(
    sessionId: string,
    leaseMs: number | undefined,
    after: number | undefined,
  ): Promise<BackendClaim> {
    const input = toClaimInput(this.#ttlMs, leaseMs, after)
    return toClaim(await this.#run(this.#connection.scripts.claim, sessionId, input))
  }

  async peek(sessionId: string): Promise<Peek> {
    const reply = await this.#run(this.#scripts.peek, sessionId, [])
    const [, state, version, fence, updatedAtMs] = reply as [1, Buffer, number, number, number]
    return { state: String(state) as Peek['state'], version, fence, updatedAtMs }
  }

  /** `false`: Redis has changed since `found`, or a write waits in the outbox. */
  async install(sessionId: string, found: Peek, session: WholeSession): Promise<boolean> {
    const { head, fields, ops, endsAtMs, isVacant } = session
    const creds = fields.find(field => field.type === CREDS_FIELD.type)
    const ofKeys = fields.filter(field => field !== creds)
    const input: Argument[] = [
      found.state === 'cold' ? 'cold' : found.version,
      head.version,
      head.fence,
      head.updatedAtMs,
      orNone(endsAtMs),
      GRACE_MS,
      isVacant || ops === '' ? '' : `${ops}\n`,
      TOMBSTONE_MS,
      isVacant ? 'vacant' : 'session',
      creds === undefined ? '' : toBuffer(creds.bytes),
      ...ofKeys.flatMap(field => [fieldName(field), toBuffer(field.bytes)]),
    ]
    const reply = await this.breaker.run(
      () => this.#sessions.try(this.#scripts.install, sessionId, input),
      LOADING_MS,
    )
    return reply[0] === 1
  }

  /** The first entries of the outbox by version, but for those to leave out. */
  async entries(sessionId: string, leftOut: ReadonlySet<number>): Promise<OutboxPage> {
    const { client } = this.#connection
    const key = this.#outboxOf(sessionId)
    const names = await this.#send(() => client.hkeys(key))
    const versions = names.map(Number).filter(version => !leftOut.has(version))
    const first = versions.sort((a, b) => a - b).slice(0, PAGE)
    const lastVersion = first.length < versions.length ? (first.at(-1) as number) : Number.POSITIVE_INFINITY
    const count = versions.length
    if (count === 0) return { entries: [], count, lastVersion }
    const values = await this.#send(() => client.hmget(key, ...first.map(String)))
    const entries = first.flatMap((version, i) => {
      const json = values[i]
      return json == null ? [] : [{ version, entry: parseEntry(json, sessionId, version) }]
    })
    return { entries, count, lastVersion }
  }

  /** Removes entries that MongoDB has. */
  async ack(sessionId: string, applied: readonly { version: number; operationId: string }[]): Promise<void> {
    const input = applied.flatMap(({ version, operationId }) => [version, toMark(operationId)])
    await this.#run(this.#scripts.ack, sessionId, input)
  }

  /** Replaces the entry that it was made from. */
  async mark(sessionId: string, entry: OutboxEntry): Promise<void> {
    const input = [entry.version, toMark(entry.operationId), JSON.stringify(entry)]
    await this.#run(this.#scripts.mark, sessionId, input)
  }

  /** Sessions with an outbox. */
  async *outboxes(): AsyncIterable<string> {
    const { client } = this.#connection
    const clientPrefix = keyPrefixOf(client)
    for (const master of await this.#send(() => mastersOf(client))) {
      let cursor = '0'
      do {
        const [next, keys] = await this.#send(() =>
          master.scan(cursor, 'MATCH', this.#names.outboxPattern(clientPrefix), 'COUNT', SCAN_COUNT),
        )
        for (const key of keys) yield this.#names.sessionIdOfOutbox(key, clientPrefix)
        cursor = next
      } while (cursor !== '0')
    }
  }

  /** Runs `action` unless another process has the lock; the lock ends after `lifeMs` at the latest. */
  async locked(lock: string, lifeMs: number, action: () => Promise<void>): Promise<void> {
    const { client } = this.#connection
    const taken = await this.#send(() => client.set(lock, this.#lockHolder, 'PX', lifeMs, 'NX'))
    if (taken === null) return
    try {
      await action()
    } finally {
      await this.#send(() => this.#scripts.unlock([lock], [this.#lockHolder])).catch(() => {}) // it ends by itself
    }
  }

  async close(): Promise<void> {
    await this.#calls.close()
    await this.#backend.close()
    this.breaker.close()
  }

  #run(script: RunScript, sessionId: string, input: readonly Argument[], guard?: Guard): Promise<Reply> {
    return this.breaker.run(() => this.#sessions.run(script, sessionId, input, guard))
  }

  #send<T>(call: () => Promise<T>): Promise<T> {
    return this.breaker.run(() => this.#calls.run(call))
  }

  #outboxOf(sessionId: string): string {
    return this.#names.of(sessionId)[2] as string
  }

  #toEntry(sessionId: string, members: Partial<OutboxEntry>): EntryInput {
    const rest = JSON.stringify({ sessionId, ...members, status: 'pending', attempts: 0 })
    return [this.#maxEntries, JSON.stringify(sessionId).slice(0, -1), rest.slice(1)]
  }
}

/** What is found in the entry of this operation, and in no other. */
function toMark(operationId: string): string {
  return `"operationId":${JSON.stringify(operationId)}`
}
