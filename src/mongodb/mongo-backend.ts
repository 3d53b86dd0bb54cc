import type { Field, SessionPage } from '../core/auth-store.js'
import {
  type BackendClaim,
  type BackendDeletion,
  type ClaimTerms,
  type CommitResult,
  CREDS_FIELD,
  type FieldWrite,
  type HistoryResult,
  type ReadResult,
  type SnapshotResult,
  type StoredField,
  type Summary,
} from '../core/backend.js'
import { Calls } from '../core/connection/calls.js'
import type {
  Application,
  Applied,
  DurableBackend,
  DurableClaim,
  DurableCommit,
  DurableDeletion,
  WholeSession,
  WithDurableHead,
} from '../core/durable-backend.js'
import { hasCode } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { singleAttempt, withRetry } from '../core/retry.js'
import type { ServerLink } from '../core/server-link.js'
import { checkGuard } from '../core/store/guard.js'
import { parseForks } from '../core/store/histories.js'
import { graceMsOf, ifAhead } from '../core/store/life.js'
import { decideApplication, decideBar, decideFence } from './applications.js'
import type { AuthCollection } from './auth-collection.js'
import { type ClaimingBeside, type Context, decideClaim, decideCommit, decideDeletion } from './decisions.js'
import { DocumentNames, isHeadOf, parseSuffix } from './document-names.js'
import { type Found, type HeadDocument, toFound, toOwned } from './documents.js'
import { GatheredFinds, type NamedDocument } from './gathered-finds.js'
import { readHead, type Send } from './heads.js'
import { toIntentWrites } from './intents.js'
import { Lifetime } from './lifetime.js'
import { toStoreError } from './mongo-errors.js'
import { IN_ORDER, type Reading, readSession, type SessionDocuments } from './session-reader.js'
import { SessionWriter } from './session-writer.js'
import { NO_LIST } from './stored-documents.js'

/** Most characters of names in one command. */
const MAX_NAMES_BYTES = 8 * 1024 * 1024

export interface MongoBackendOptions {
  collection: AuthCollection
  /** `null`: for ever. */
  ttlMs: number | null
  /** The deadline of one command; the store sets that of a whole call. */
  timeoutMs: number
  logger: Logger
  release: () => Promise<void>
  /** Replaces the server's clock. */
  now?: (() => number) | undefined
}

/** One document for each field, and the head. A write is a compare-and-set on the head, which is then carried out. */
export class MongoBackend implements DurableBackend {
  readonly link: ServerLink
  readonly #collection: AuthCollection
  readonly #writer: SessionWriter
  readonly #ttlMs: number | null
  readonly #timeoutMs: number
  readonly #logger: Logger
  readonly #release: () => Promise<void>
  readonly #now: () => number
  readonly #calls = new Calls('The MongoDB store', error => toStoreError(error, this.link))
  #hasReported = false

  constructor({ collection, ttlMs, timeoutMs, logger, release, now }: MongoBackendOptions) {
    this.#collection = collection
    this.link = collection.link
    this.#ttlMs = ttlMs
    this.#timeoutMs = timeoutMs
    this.#logger = logger
    this.#release = release
    this.#now = now ?? collection.clock.now
    this.#writer = new SessionWriter(collection, this.#send, timeoutMs, this.#now)
  }

  read(
    sessionId: string,
    fields: readonly Field[],
    fencingToken?: number,
  ): Promise<WithDurableHead<ReadResult>> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const ids = fields.map(field => names.of(field))
      const isShort = ids.reduce((sum, id) => sum + id.length, 0) < MAX_NAMES_BYTES
      const which = isShort ? { $in: [names.head, ...ids] } : names.all
      const found = await this.#read(names, which)
      const { head } = this.#findAs(names, found, fencingToken)
      return { head, values: ids.map(id => (head.exists ? found.fields.get(id)?.data : undefined)) }
    })
  }

  readAll(sessionId: string): Promise<WithDurableHead<SnapshotResult>> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const found = await this.#read(names, names.all)
      const { head } = toFound(found.head, this.#now())
      if (!head.exists) return { head, fields: [] }
      return { head, fields: toStoredFields(names, found) }
    })
  }

  summarize(sessionId: string): Promise<WithDurableHead<Summary>> {
    return this.#enter(async () => {
      const { head, document, creds } = await this.#readCreds(new DocumentNames(sessionId))
      return { head, ...toNotes(document, this.#now()), creds }
    })
  }

  /** Includes deleted fields: a deletion by another process counts as a write. Left-overs of an earlier life do not count. */
  readHistory(sessionId: string, fields: readonly Field[]): Promise<WithDurableHead<HistoryResult>> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const found = await this.#read(names, names.all, { data: 0 })
      const { head, document } = toFound(found.head, this.#now())
      const { session, ops = '', forks = '', since = 0 } = document ?? {}
      const versions = fields.map(field => {
        const id = names.of(field)
        const { v = 0 } = found.fields.get(id) ?? found.gone.get(id) ?? {}
        return v < since ? 0 : v
      })
      // Only a deletion leaves operations without a session.
      return { head, isDeleted: session === undefined && ops !== '', forks: parseForks(forks), versions }
    })
  }

  commit(sessionId: string, commit: DurableCommit): Promise<CommitResult> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const writes = toIntentWrites(names, commit.writes)
      const decide = (found: Found) => decideCommit(found, commit, this.#of(sessionId))
      return this.#writer.change(names, decide, writes, { call: commit.call })
    })
  }

  delete(sessionId: string, deletion: DurableDeletion): Promise<BackendDeletion> {
    return this.#enter(async () => {
      await this.#send(() => this.#collection.clock.sync())
      const names = new DocumentNames(sessionId)
      const remove = async () => {
        const strayVersion = await this.#writer.highestVersion(names)
        const circumstances = { ...this.#of(sessionId), strayVersion }
        const decide = (found: Found) => decideDeletion(found, deletion, circumstances)
        return this.#writer.change(names, decide, undefined, { call: deletion.call })
      }
      return await remove().catch(async error => {
        if (hasCode(error, 'SESSION_INCOMPLETE')) await this.#writer.recreateHead(names)
        else if (!hasCode(error, 'CORRUPT_VALUE') || !(await this.#writer.mendHead(names, deletion)))
          throw error
        return remove()
      })
    })
  }

  claim(sessionId: string, terms: ClaimTerms = {}): Promise<BackendClaim> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const { fencingToken } = await this.#claim(names, terms, {})
      const { head, creds } = await this.#readCreds(names)
      return { fencingToken, head: { ...head, fence: fencingToken }, creds }
    })
  }

  /**
   * The token is above `after`, which another database has handed out. An expired session is only given up by `bar`.
   */
  claimAfter(sessionId: string, terms: ClaimTerms, after: number): Promise<DurableClaim> {
    const how = { after, keepsExpired: true }
    return this.#enter(() => this.#claim(new DocumentNames(sessionId), terms, how))
  }

  /** Applies writes that already have their versions: all or none. */
  apply(sessionId: string, application: Application, fieldWrites: readonly FieldWrite[]): Promise<Applied> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const isDeletion = application.kind === 'deletion'
      const writes = isDeletion ? undefined : toIntentWrites(names, fieldWrites)
      const strayVersion = isDeletion ? await this.#writer.highestVersion(names) : 0
      const circumstances = { ...this.#of(sessionId), strayVersion }
      // With a whole session, or its end, the remains of a session without a head no longer matter.
      const replacesRemains = application.kind !== 'fields'
      return this.#writer.change(
        names,
        found => decideApplication(found, application, fieldWrites, circumstances),
        writes,
        { joins: false, replacesRemains },
      )
    })
  }

  /** The highest version among the fields of a session, with or without a head; 0: there are no fields. */
  highestVersion(sessionId: string): Promise<number> {
    return this.#enter(() => this.#writer.highestVersion(new DocumentNames(sessionId)))
  }

  /** Raises the fence to a token of another database. A higher fence stays. */
  raiseFence(sessionId: string, token: number): Promise<void> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      await this.#writer.change(names, found => decideFence(found, token))
    })
  }

  /** I11: from now on, takes nothing from owners of lower tokens. */
  bar(sessionId: string, token: number): Promise<void> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      await this.#writer.change(names, found => decideBar(found, token, this.#now()), undefined, {
        mayGuess: true,
      })
    })
  }

  /** Throws for writes that could never be stored. */
  checkWrites(sessionId: string, writes: readonly FieldWrite[]): void {
    toIntentWrites(new DocumentNames(sessionId), writes)
  }

  readWhole(sessionId: string): Promise<WholeSession> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const found = await this.#read(names, names.all)
      const { head, document } = toFound(found.head, this.#now())
      const isVacant = document?.session === undefined
      const fields = isVacant ? [] : toStoredFields(names, found)
      const endsAtMs = document?.endsAt?.getTime() ?? null
      const { ops = '', forks = '' } = document ?? {}
      return { head, fields, ops, forks, endsAtMs, isVacant }
    })
  }

  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    return this.#enter(async () => {
      await this.#send(() => this.#collection.clock.sync())
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
      const { lifetime } = this.#of(sessionId)
      await this.#writer.change(names, ({ document, head }) => {
        if (document === undefined || !head.exists) return { result: undefined }
        return { result: undefined, head: lifetime.from(this.#now(), document, ttlMs) }
      })
    })
  }

  list(limit: number, cursor = ''): Promise<SessionPage> {
    return this.#enter(async () => {
      const lives = [{ endsAt: null }, { endsAt: { $gt: new Date(this.#now()) } }]
      const found = (await this.#send(documents =>
        documents
          .find(
            { session: { $gt: cursor, ...NO_LIST }, $or: lives },
            { projection: { session: 1 }, sort: { session: 1 }, limit, batchSize: limit },
          )
          .toArray(),
      )) as { _id: string; session: string }[]
      const isHead = ({ _id, session }: (typeof found)[number]) => isHeadOf(_id, session)
      const heads = found.filter(isHead)
      if (heads.length < found.length) this.#reportForeign(found.length - heads.length)
      const last = found.length < limit ? undefined : found.at(-1)
      return { sessionIds: heads.map(({ session }) => session), cursor: last?.session ?? null }
    })
  }

  listFields(sessionId: string, type: string | undefined, fencingToken?: number): Promise<Field[]> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const found = await this.#read(names, names.all, { data: 0 })
      const { head } = this.#findAs(names, found, fencingToken)
      if (!head.exists) return []
      const fields = [...found.fields.keys()].sort().map(id => parseSuffix(names.suffixOf(id)))
      return type === undefined ? fields : fields.filter(field => field.type === type)
    })
  }

  /** Earlier releases used the bare session name as `_id`; the documents of this library have a `/` behind it. */
  findForeign(sessionId: string): Promise<string | undefined> {
    // These comparisons match only a number and a text. Other documents with that name belong to an application.
    const theirs = { _id: sessionId, version: { $gte: 0 }, creds: { $gte: '' } }
    const options = { projection: { _id: 1 }, limit: 1 } as const
    return this.#enter(async () => {
      const found = await this.#send(documents => documents.find(theirs, options).toArray())
      return found.length > 0 ? 'a document with its name as "_id" in MongoDB' : undefined
    })
  }

  findEnd(sessionId: string): Promise<number | undefined> {
    return this.#enter(async () => {
      const names = new DocumentNames(sessionId)
      const { document, isExpired } = toFound(await readHead(this.#send, names), this.#now())
      return isExpired ? document?.endsAt?.getTime() : undefined
    })
  }

  async isHealthy(): Promise<boolean> {
    try {
      await this.#enter(() => this.#send(() => this.#collection.ping()))
      return true
    } catch {
      return false // the failure is the answer
    }
  }

  async close(timeoutMs?: number): Promise<void> {
    this.#calls.run(() => this.#collection.indexing).catch(() => {}) // `close` has ended the pending calls
    await this.#calls.close(timeoutMs)
    await this.#release()
  }

  async #claim(names: DocumentNames, terms: ClaimTerms, how: ClaimingBeside): Promise<DurableClaim> {
    await this.#send(() => this.#collection.clock.sync())
    this.#sweep()
    const decide = (found: Found) => decideClaim(found, terms, how, this.#of(names.sessionId))
    return this.#writer.change(names, decide, undefined, { mayGuess: true, call: terms.call })
  }

  async #readCreds(names: DocumentNames): Promise<Found & { creds: Buffer | undefined }> {
    const id = names.of(CREDS_FIELD)
    const { head: document, fields } = await this.#read(names, { $in: [names.head, id] })
    const found = toFound(document, this.#now())
    return { ...found, creds: found.head.exists ? fields.get(id)?.data : undefined }
  }

  /** Throws `SESSION_INCOMPLETE` for fields without a head. */
  async #read(
    names: DocumentNames,
    ids: Reading['ids'],
    projection: Readonly<Record<string, 0 | 1>> = {},
  ): Promise<SessionDocuments> {
    const { isSharded } = this.#collection
    for (;;) {
      const found = await readSession(this.#send, this.#finds, names, { ids, projection, isSharded })
      if (found.head) this.#collection.noteHead(names.sessionId, found.head)
      if (found.head !== undefined || (await this.#writer.isAbsent(names))) return found
    }
  }

  #findAs({ sessionId }: DocumentNames, { head }: SessionDocuments, fencingToken: number | undefined): Found {
    return toOwned(toFound(head, this.#now()), sessionId, fencingToken, this.#now())
  }

  /** Runs one call, from its first command to its last. */
  #enter<T>(call: () => Promise<T>): Promise<T> {
    return this.#calls.run(async () => {
      await this.#send(() => this.#collection.prepare(this.#logger))
      return call()
    })
  }

  readonly #finds = new GatheredFinds(
    names =>
      this.#send(documents => documents.find({ _id: { $in: names } }, IN_ORDER).toArray()) as Promise<
        NamedDocument[]
      >,
  )

  readonly #send: Send = command =>
    withRetry(singleAttempt(this.#timeoutMs), { operation: 'a command to MongoDB', link: this.link }, () =>
      command(this.#collection.documents),
    )

  #of(sessionId: string): Context {
    const lifetime = new Lifetime(this.#ttlMs, graceMsOf(sessionId))
    return { sessionId, lifetime, nowMs: this.#now() }
  }

  /** Logs once: each page of `list` skips them. */
  #reportForeign(count: number): void {
    if (this.#hasReported) return
    this.#hasReported = true
    this.#logger.warn(
      { count },
      'The collection has documents of somebody else with a member "session": "list" passes over them. Give the store a ' +
        'collection of its own, or remove them.',
    )
  }

  /** Runs in the background: removing a million documents takes longer than a call may. */
  #sweep(): void {
    this.#calls.run(() => this.#collection.sweep(this.#now())).catch(() => {}) // the next hour brings another
  }
}

function toNotes(document: HeadDocument | undefined, nowMs: number): Omit<Summary, 'head' | 'creds'> {
  const { createdAt, endsAt, claimedAt, owner, leaseUntil } = document ?? {}
  return {
    createdAtMs: createdAt?.getTime(),
    expiresAtMs: endsAt?.getTime(),
    claim: claimedAt && { claimedAtMs: claimedAt.getTime(), owner },
    leaseEndsAtMs: ifAhead(leaseUntil?.getTime(), nowMs),
  }
}

function toStoredFields(names: DocumentNames, { fields }: SessionDocuments): StoredField[] {
  return [...fields].map(([id, { data }]) => ({ ...parseSuffix(names.suffixOf(id)), bytes: data as Buffer }))
}
