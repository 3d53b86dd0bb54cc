import type { Field, SessionPage } from '../core/auth-store.js'
import {
  type Backend,
  type BackendClaim,
  type BackendDeletion,
  type ClaimTerms,
  type Commit,
  type CommitResult,
  CREDS_FIELD,
  type Deletion,
  type Guard,
  type Head,
  type HistoryResult,
  PEEKED_BYTES,
  type ReadResult,
  type SnapshotResult,
  type StoredField,
  type Summary,
} from '../core/backend.js'
import { Calls } from '../core/connection/calls.js'
import { hasCode } from '../core/errors.js'
import { type Logger, nullLogger } from '../core/logger.js'
import { maskSessionId } from '../core/masking.js'
import { assertAwaited } from '../core/retry.js'
import type { ServerLink } from '../core/server-link.js'
import { graceMsOf } from '../core/store/life.js'
import type { RedisConnection } from './connection.js'
import { fieldName, type KeyNames, parseFieldName } from './key-names.js'
import { about, toStoreError } from './redis-errors.js'
import {
  toClaim,
  toCommitted,
  toCount,
  toDeleted,
  toHashPage,
  toHashValues,
  toHistory,
  toList,
  toSnapshot,
  toSummary,
  toValues,
  toWhole,
} from './replies.js'
import { lifetimeOf, orEmpty, toClaimInput, toCommitInput, toDeletionInput } from './script-input.js'
import { type Argument, MAX_ARGUMENTS, type Reply, type Scripts } from './scripts.js'
import { listSessions } from './session-pages.js'
import { SessionScripts } from './session-scripts.js'

/** Most fields of a session read by one command. More are read in pages, so that Redis serves others in between. */
const MAX_WHOLE = 1000
const PAGE_SIZE = 1000
/** How often a write may spoil a reading in pages, before the session is read by one command. */
const MAX_SPOILT = 3
/** Most fields of one HMGET. A script reads more: it takes them as one argument. */
const MAX_FIELDS = MAX_ARGUMENTS - 5
/** In the copy of the head: the incarnation and, unless MongoDB stands behind, the operation. */
const HISTORY = /^([!-~]{0,256})(?: ([!-~]*))?$/
const HEAD_FIELDS = ['@version', '@fence', '@updatedAt', '@expiresAt', '@history'] as const

export interface RedisBackendOptions {
  connection: RedisConnection
  names: KeyNames
  /** `null`: for ever. */
  ttlMs: number | null
  release: () => Promise<void>
  /** Replaces the server's clock. */
  now?: (() => number) | undefined
  logger?: Logger | undefined
}

/** Two hashes for a session. A read of keys is one HMGET; everything else is one script. */
export class RedisBackend implements Backend {
  readonly link: ServerLink
  readonly #connection: RedisConnection
  readonly #names: KeyNames
  readonly #ttlMs: number | null
  readonly #release: () => Promise<void>
  readonly #now: (() => number) | undefined
  readonly #calls = new Calls('The Redis store', error => toStoreError(error, this.link))
  readonly #scripts: SessionScripts

  readonly #logger: Logger
  #hasWarned = false

  constructor({ connection, names, ttlMs, release, now, logger = nullLogger }: RedisBackendOptions) {
    this.#connection = connection
    this.link = connection.link
    this.#names = names
    this.#ttlMs = ttlMs
    this.#release = release
    this.#now = now
    this.#logger = logger
    this.#scripts = new SessionScripts({ names, calls: this.#calls, now })
  }

  async read(sessionId: string, fields: readonly Field[], fencingToken?: number): Promise<ReadResult> {
    const isFew = fields.length > 0 && fields.length <= MAX_FIELDS
    const isOfKeys = isFew && fields.every(field => field.type !== CREDS_FIELD.type)
    const read = isOfKeys ? await this.#readKeys(sessionId, fields) : undefined
    return read ?? this.readExactly(sessionId, fields, fencingToken)
  }

  /** Reads in pages. The heal expects the version of the first page, so a write in between is noticed. */
  async readHistory(sessionId: string, fields: readonly Field[]): Promise<HistoryResult> {
    const names = fields.map(fieldName)
    const ask = async (page: readonly string[]) =>
      toHistory(await this.#run('history', sessionId, page), page)
    const first = await ask(names.slice(0, PAGE_SIZE))
    const versions = [...first.versions]
    for (let from = PAGE_SIZE; from < names.length; from += PAGE_SIZE) {
      versions.push(...(await ask(names.slice(from, from + PAGE_SIZE))).versions)
    }
    return { ...first, versions }
  }

  async readAll(sessionId: string): Promise<SnapshotResult> {
    for (let spoilt = 0; ; spoilt++) {
      const most = spoilt < MAX_SPOILT ? MAX_WHOLE : Number.MAX_SAFE_INTEGER
      const { head, creds, fields } = toSnapshot(await this.#run('read', sessionId, ['', most]))
      const found = fields ?? (await this.#readPages(sessionId, head))
      if (found === undefined) continue
      const first = creds === undefined ? [] : [{ ...CREDS_FIELD, bytes: creds }]
      return { head, fields: [...first, ...found] }
    }
  }

  async summarize(sessionId: string): Promise<Summary> {
    return toSummary(await this.#run('summary', sessionId, [PEEKED_BYTES]))
  }

  async commit(sessionId: string, commit: Commit): Promise<CommitResult> {
    assertAwaited(commit.call)
    const reply = await this.#run(
      'commit',
      sessionId,
      toCommitInput(commit, lifetimeOf(sessionId, this.#ttlMs)),
      commit,
    )
    const { version, updatedAtMs, incarnation, effect } = toCommitted(reply)
    const operation = effect === 0 ? '' : commit.operationId
    return { version, updatedAtMs, incarnation, operation, durability: 'durable' }
  }

  async delete(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    assertAwaited(deletion.call)
    const reply = await this.#run('delete', sessionId, toDeletionInput(deletion), deletion)
    const { version, fence, deletedAtMs } = toDeleted(reply)
    return { version, fence, deletedAtMs, operation: deletion.operationId, durability: 'durable' }
  }

  async claim(sessionId: string, terms: ClaimTerms = {}): Promise<BackendClaim> {
    await this.#connection.assertOneWriter()
    assertAwaited(terms.call)
    return toClaim(
      await this.#run('claim', sessionId, toClaimInput(lifetimeOf(sessionId, this.#ttlMs), terms)),
    )
  }

  async findForeign(sessionId: string): Promise<string | undefined> {
    const keys = this.#names.ofReleaseCandidate(sessionId)
    const { client } = this.#connection
    const types = await this.#calls.run(() => Promise.all(keys.map(({ name }) => client.type(name))))
    const found = keys.find(({ type }, n) => types[n] === type)
    return found && `a key "${maskSessionId(found.name)}" in Redis`
  }

  async findEnd(sessionId: string): Promise<number | undefined> {
    const life = await this.#calls.run(() => this.#readLife(sessionId))
    return life !== undefined && this.#isPast(life.endsAtMs) ? life.endsAtMs : undefined
  }

  async lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    await this.#run('lease', sessionId, [fencingToken, orEmpty(leaseMs)], { fencingToken })
  }

  async touch(sessionId: string, ttlMs: number | null): Promise<void> {
    await this.#run('touch', sessionId, [orEmpty(ttlMs), graceMsOf(sessionId)])
  }

  async list(limit: number, cursor: string | undefined): Promise<SessionPage> {
    const exists = (sessionId: string) => this.#exists(sessionId)
    const { client } = this.#connection
    const page = await this.#send(() => listSessions(client, this.#names, exists, limit, cursor))
    if (page.foreign > 0) this.#warnOfForeign(page.foreign)
    return { sessionIds: page.sessionIds, cursor: page.cursor }
  }

  async listFields(sessionId: string, type: string | undefined, fencingToken?: number): Promise<Field[]> {
    const { head } = await this.readExactly(sessionId, [], fencingToken)
    if (!head.exists) return []
    const [, key] = this.#names.of(sessionId)
    const names = toList(await this.#sendOf(sessionId, () => this.#connection.client.hkeys(key)))
    const fields = names
      .map(String)
      .sort(compare)
      .map(parseFieldName)
      .filter(field => field !== undefined)
    return type === undefined ? fields : fields.filter(field => field.type === type)
  }

  async isHealthy(): Promise<boolean> {
    try {
      return (await this.#send(() => this.#connection.client.ping())) === 'PONG'
    } catch {
      return false // the failure is the answer
    }
  }

  async close(timeoutMs?: number): Promise<void> {
    await this.#calls.close(timeoutMs)
    await this.#release()
  }

  /** `undefined` for a foreign key. A damaged session exists: it can be deleted. */
  async #exists(sessionId: string): Promise<boolean | undefined> {
    try {
      const life = await this.#readLife(sessionId)
      return life !== undefined && !this.#isPast(life.endsAtMs)
    } catch (error) {
      if (hasCode(toStoreError(error), 'CORRUPT_VALUE')) return undefined
      throw error
    }
  }

  /** `undefined`: never written, or deleted. */
  async #readLife(sessionId: string): Promise<{ endsAtMs: number } | undefined> {
    const [creds] = this.#names.of(sessionId)
    const reply = await this.#connection.client.hmget(creds, 'version', 'vacant', 'expiresAt')
    const [version, vacant, expiresAt] = toList(reply) as (string | null)[]
    if (version === null || vacant !== null) return undefined
    return { endsAtMs: toWhole(expiresAt) ?? Number.POSITIVE_INFINITY }
  }

  #warnOfForeign(count: number): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    this.#logger.warn(
      { count },
      'Keys of Redis that begin with the "prefix" of the store are no sessions of it: "list" passes over them. Give the ' +
        'store a prefix of its own, or remove them.',
    )
  }

  /** `undefined` if the answer needs a script to confirm it: no session, one that seems expired, or damage. */
  async #readKeys(sessionId: string, fields: readonly Field[]): Promise<ReadResult | undefined> {
    const [, key] = this.#names.of(sessionId)
    const reply = await this.#sendOf(sessionId, () =>
      this.#connection.client.hmgetBuffer(key, [...HEAD_FIELDS, ...fields.map(fieldName)]),
    )
    const stored = toHashValues(reply, HEAD_FIELDS.length + fields.length)
    // a foreign reply transformer changed the reply; it does not reach scripts
    if (stored === undefined) return undefined
    const [version, fence] = stored.slice(0, 2).map(toCount)
    const [updatedAtMs, expiresAt] = stored.slice(2, 4).map(toWhole)
    const isComplete = version !== undefined && fence !== undefined && updatedAtMs !== undefined
    const mayHaveEnded = stored[3] !== undefined && (expiresAt === undefined || this.#isPast(expiresAt))
    const history = HISTORY.exec(String(stored[4] ?? ''))
    if (!isComplete || mayHaveEnded || history === null) return undefined
    const [, incarnation = '', operation = ''] = history
    const head = { exists: true, version, fence, updatedAtMs, incarnation, operation }
    return { head, values: stored.slice(HEAD_FIELDS.length) }
  }

  /**
   * Same as `read`, by the server's clock, and with the operations that the session remembers. Throws for half a
   * session.
   */
  async readExactly(sessionId: string, fields: readonly Field[], fencingToken?: number): Promise<ReadResult> {
    const ofKeys = fields.filter(field => field.type !== CREDS_FIELD.type)
    const { head, creds, values } = toValues(
      await this.#run('read', sessionId, [orEmpty(fencingToken), '', ...ofKeys.map(fieldName)]),
    )
    const found = values.values()
    const take = (field: Field) =>
      field.type === CREDS_FIELD.type ? creds : (found.next().value ?? undefined)
    return { head, values: fields.map(take) }
  }

  /** `undefined` if the session has changed since `head`. */
  async #readPages(sessionId: string, head: Head): Promise<StoredField[] | undefined> {
    const [, key] = this.#names.of(sessionId)
    const fields = new Map<string, StoredField>()
    let cursor = '0'
    do {
      const reply = await this.#sendOf(sessionId, () =>
        this.#connection.client.hscanBuffer(key, cursor, 'COUNT', PAGE_SIZE),
      )
      const page = toHashPage(reply)
      for (const [name, field] of page.fields) fields.set(name, field)
      cursor = page.cursor
    } while (cursor !== '0')
    const after = (await this.readExactly(sessionId, [])).head
    return after.exists && after.version === head.version ? [...fields.values()] : undefined
  }

  #run(script: keyof Scripts, sessionId: string, input: readonly Argument[], guard?: Guard): Promise<Reply> {
    return this.#scripts.run(this.#connection.scripts[script], sessionId, input, guard)
  }

  #send<T>(call: () => Promise<T>): Promise<T> {
    return this.#calls.run(call)
  }

  /** Adds the session to an error about stored data. */
  #sendOf<T>(sessionId: string, call: () => Promise<T>): Promise<T> {
    return this.#send(call).catch(error => about(sessionId, error))
  }

  /** By the clock of this process: a hint that the server's clock must confirm. */
  #isPast(instantMs: number): boolean {
    return instantMs <= (this.#now ?? Date.now)()
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
