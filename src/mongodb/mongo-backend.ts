import { Calls } from '../core/calls.js'
import { hasCode, SessionLockedError } from '../core/errors.js'
import { checkGuard, isNothing } from '../core/guard.js'
import type { Logger } from '../core/logger.js'
import { findOperation, noteOperation } from '../core/operation-ids.js'
import { withRetry } from '../core/retry.js'
import {
  type Backend,
  type BackendClaim,
  type Commit,
  type CommitResult,
  CREDS_FIELD,
  type Deletion,
  type Field,
  type ReadResult,
  type SessionPage,
  type SnapshotResult,
} from '../core/store.js'
import type { AuthCollection } from './auth-collection.js'
import { DocumentNames, parseSuffix } from './document-names.js'
import { type Found, type HeadDocument, toFound, VACANT } from './documents.js'
import { dropOrphans, toIntentWrites } from './intents.js'
import { Lifetime } from './lifetime.js'
import { toStoreError } from './mongo-errors.js'
import type { Change } from './requests.js'
import { type Reading, readSession, type Send, type SessionDocuments } from './session-reader.js'
import { SessionWriter } from './session-writer.js'

/** Names of fields asked for by one command. */
const MAX_NAMES_BYTES = 8 * 1024 * 1024

export interface MongoBackendOptions {
  collection: AuthCollection
  /** `null` is for ever. */
  ttlMs: number | null
  /** Of one command; the deadline of a whole call is the store's. */
  timeoutMs: number
  logger: Logger
  release: () => Promise<void>
  /** Instead of the server's clock. */
  now?: (() => number) | undefined
}

/** One document a field, and the head. A write is a compare-and-set on the head, which then is carried out. */
export class MongoBackend implements Backend {
  readonly #collection: AuthCollection
  readonly #writer: SessionWriter
  readonly #lifetime: Lifetime
  readonly #timeoutMs: number
  readonly #logger: Logger
  readonly #release: () => Promise<void>
  readonly #now: () => number
  readonly #calls = new Calls('The MongoDB store', toStoreError)

  constructor({ collection, ttlMs, timeoutMs, logger, release, now }: MongoBackendOptions) {
    this.#collection = collection
    this.#lifetime = new Lifetime(ttlMs)
    this.#timeoutMs = timeoutMs
    this.#logger = logger
    this.#release = release
    this.#now = now ?? collection.clock.now
    this.#writer = new SessionWriter(collection, this.#send, timeoutMs, this.#now)
  }

  read(sessionId: string, fields: readonly Field[]): Promise<ReadResult> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const ids = fields.map(field => names.of(field))
      const isShort = ids.reduce((sum, id) => sum + id.length, 0) < MAX_NAMES_BYTES
      const which = isShort ? { $in: [names.head, ...ids] } : names.all
      const found = await this.#read(names, which)
      const { head } = await this.#writer.toFound(names, found.head)
      return { head, values: ids.map(id => (head.exists ? found.fields.get(id)?.data : undefined)) }
    })
  }

  readAll(sessionId: string): Promise<SnapshotResult> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const found = await this.#read(names, names.all)
      const { head } = await this.#writer.toFound(names, found.head)
      if (!head.exists) return { head, fields: [] }
      const fields = [...found.fields].map(([id, { data }]) => ({
        ...parseSuffix(names.suffixOf(id)),
        bytes: data as Buffer,
      }))
      return { head, fields }
    })
  }

  commit(sessionId: string, commit: Commit): Promise<CommitResult> {
    const { operationId, fencingToken, above = 0 } = commit
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const writes = toIntentWrites(names, commit.writes)
      const decide = ({ document, head, isExpired }: Found): Change<CommitResult> => {
        const applied = findOperation(document?.ops, operationId)
        if (applied) return { result: toResult(applied.version, applied.updatedAtMs) }
        checkGuard(sessionId, head, commit)
        if (isNothing(head, commit)) return { result: toResult(head.version, head.updatedAtMs) }
        const nowMs = this.#now()
        const version = Math.max(head.version, above) + 1
        // Who still owns an expired session brings it back whole; for anyone else it begins anew.
        const goesOn = head.exists || (isExpired && fencingToken !== undefined)
        return {
          result: toResult(version, nowMs),
          head: {
            session: sessionId,
            v: version,
            fence: Math.max(head.fence, fencingToken ?? 0),
            updatedAt: new Date(nowMs),
            since: goesOn && document ? document.since : version,
            ops: noteOperation(document?.ops, { id: operationId, version, updatedAtMs: nowMs }),
            ...this.#lifetime.from(nowMs, document),
          },
        }
      }
      return this.#writer.change(names, decide, writes)
    })
  }

  delete(sessionId: string, { operationId, ...guard }: Deletion): Promise<void> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const remove = () =>
        this.#writer.change(names, ({ document, head }) => {
          if (findOperation(document?.ops, operationId)) return { result: undefined }
          checkGuard(sessionId, head, guard)
          if (document?.session === undefined) return { result: undefined }
          return { result: undefined, head: vacate(document, this.#now(), operationId) }
        })
      await remove().catch(async error => {
        if (!hasCode(error, 'SESSION_INCOMPLETE')) throw error
        await this.#writer.giveHead(names)
        await remove()
      })
    })
  }

  claim(sessionId: string, leaseMs?: number): Promise<BackendClaim> {
    return this.#enter(async () => {
      await this.#send(() => this.#collection.clock.sync())
      this.#sweep()
      const names = new DocumentNames(sessionId)
      const fencingToken = await this.#writer.change(names, found => {
        const nowMs = this.#now()
        const { document, head, isExpired } = found
        const remainingMs = (document?.leaseUntil?.getTime() ?? 0) - nowMs
        if (remainingMs > 0) throw new SessionLockedError(remainingMs, { sessionId })
        const vacated = isExpired && document ? vacate(document, nowMs) : undefined
        // At least the time, so that it outranks the tokens from before a loss of the head.
        const fence = Math.max((vacated?.fence ?? head.fence) + 1, nowMs)
        const life = head.exists ? this.#lifetime.from(nowMs, document) : Lifetime.vacant(nowMs)
        const leaseUntil = leaseMs === undefined ? undefined : new Date(nowMs + leaseMs)
        return {
          result: fence,
          head: { ...(document ? vacated : VACANT), ...life, fence, leaseUntil },
        }
      })
      const which = { $in: [names.head, names.of(CREDS_FIELD)] }
      const { head: document, fields } = await this.#read(names, which)
      await dropOrphans(this.#send, names, document?.intent, this.#now())
      const { head } = toFound(document, this.#now())
      const creds = head.exists ? fields.get(names.of(CREDS_FIELD))?.data : undefined
      return { fencingToken, head: { ...head, fence: fencingToken }, creds }
    })
  }

  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      await this.#writer.change(names, ({ document, head }) => {
        checkGuard(sessionId, head, { fencingToken })
        if (document === undefined) return { result: undefined }
        const leaseUntil = leaseMs === null ? undefined : new Date(this.#now() + leaseMs)
        return { result: undefined, head: { leaseUntil } }
      })
    })
  }

  touch(sessionId: string, ttlMs: number | null): Promise<void> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      await this.#writer.change(names, ({ document, head }) => {
        if (document === undefined || !head.exists) return { result: undefined }
        return { result: undefined, head: new Lifetime(ttlMs).from(this.#now(), document) }
      })
    })
  }

  list(limit: number, cursor = ''): Promise<SessionPage> {
    return this.#enter(async () => {
      const lives = [{ endsAt: null }, { endsAt: { $gt: new Date(this.#now()) } }]
      const heads = (await this.#send(documents =>
        documents
          .find(
            { session: { $gt: cursor }, $or: lives },
            { projection: { session: 1 }, sort: { session: 1 }, limit },
          )
          .toArray(),
      )) as { session: string }[]
      const sessionIds = heads.map(({ session }) => session)
      return { sessionIds, cursor: heads.length < limit ? null : (sessionIds.at(-1) ?? null) }
    })
  }

  listFields(sessionId: string, type: string | undefined): Promise<Field[]> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const found = await this.#read(names, names.all, { data: 0 })
      const { head } = await this.#writer.toFound(names, found.head)
      if (!head.exists) return []
      const fields = [...found.fields.keys()].sort().map(id => parseSuffix(names.suffixOf(id)))
      return type === undefined ? fields : fields.filter(field => field.type === type)
    })
  }

  async isHealthy(): Promise<boolean> {
    try {
      await this.#enter(() => this.#send(() => this.#collection.ping()))
      return true
    } catch {
      return false // that is the answer
    }
  }

  async close(): Promise<void> {
    await this.#calls.close()
    await this.#release()
  }

  #read(
    names: DocumentNames,
    ids: Reading['ids'],
    projection: Readonly<Record<string, 0 | 1>> = {},
  ): Promise<SessionDocuments> {
    const { isSharded } = this.#collection
    return readSession(this.#send, names, { ids, projection, isSharded })
  }

  /** One call, from its first command to its last. */
  #enter<T>(call: () => Promise<T>): Promise<T> {
    return this.#calls.run(async () => {
      await this.#send(() => this.#collection.prepare(this.#logger))
      return call()
    })
  }

  readonly #send: Send = command =>
    withRetry(
      { timeoutMs: this.#timeoutMs, maxRetries: 0, baseDelayMs: 0, multiplier: 1 },
      { operation: 'a command to MongoDB' },
      () => command(this.#collection.documents),
    )

  /** In the background: removing a million documents takes longer than a call may. */
  #sweep(): void {
    this.#calls.run(() => this.#collection.sweep(this.#now())).catch(() => {}) // the next hour brings another
  }
}

function toResult(version: number, updatedAtMs: number): CommitResult {
  return { version, updatedAtMs, durability: 'durable' }
}

/** The tombstone's fence is above every token handed out, so that none of their owners can write any more. */
function vacate(
  document: HeadDocument,
  nowMs: number,
  operationId?: string,
): Partial<HeadDocument> & { fence: number } {
  const v = document.v + 1
  return {
    ...Lifetime.vacant(nowMs),
    session: undefined,
    v,
    fence: document.fence + 1,
    ops: operationId ? noteOperation(null, { id: operationId, version: v, updatedAtMs: nowMs }) : '',
    leaseUntil: undefined,
    intent: { v, purge: true },
  }
}
