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
  type Head,
  type HistoryResult,
  type ReadResult,
  type SnapshotResult,
  type Summary,
} from '../core/backend.js'
import { hasCode, SessionIncompleteError, SessionLockedError } from '../core/errors.js'
import { assertAwaited, type Call } from '../core/retry.js'
import type { KnownSituation } from '../core/server-link.js'
import { toResult } from '../core/store/commit-result.js'
import { checkBeginning, checkGuard, isNoOp } from '../core/store/guard.js'
import { nextHistory, parseForks } from '../core/store/histories.js'
import { GRACE_MS, ifAhead } from '../core/store/life.js'
import { findOperation, lastOperation, noteOperation } from '../core/store/operation-ids.js'
import { isSessionDamage } from '../core/store/session-damage.js'
import type { SqliteConnection } from './connection.js'
import { checkApplied, checkLease, type Floor, hasNext, MAX_FLOOR, NO_ROW, type SessionRow } from './rows.js'
import type { Statements } from './statements.js'

/** A tombstone outlives every write that could still be under way. */
const TOMBSTONE_MS = 24 * 60 * 60 * 1000
const SWEEP_EVERY_MS = 60 * 60 * 1000
/** More versions and tokens than any session takes. */
const FORGOTTEN = 2 ** 32
const SWEEP_COPIES_EVERY_MS = 60 * 1000

export interface SqliteBackendOptions {
  connection: SqliteConnection
  /** `null`: for ever. */
  ttlMs: number | null
  /** How long a write waits for the lock of another process. */
  busyTimeoutMs: number
  /** Releases the connection. */
  release: () => Promise<void>
  now?: () => number
}

/** A session as a read or write finds it. */
interface Found {
  row: SessionRow | undefined
  head: Head
  isExpired: boolean
}

/** One row for each field; every method is one transaction. */
export class SqliteBackend implements Backend {
  readonly #connection: SqliteConnection
  readonly #ttlMs: number | null
  readonly #busyTimeoutMs: number
  readonly #release: () => Promise<void>
  readonly #now: () => number
  #sweptAtMs = Number.NEGATIVE_INFINITY
  #sweptCopiesAtMs = Number.NEGATIVE_INFINITY

  constructor({ connection, ttlMs, busyTimeoutMs, release, now = Date.now }: SqliteBackendOptions) {
    this.#connection = connection
    this.#ttlMs = ttlMs
    this.#busyTimeoutMs = busyTimeoutMs
    this.#release = release
    this.#now = now
  }

  get link(): KnownSituation {
    return this.#connection
  }

  async read(sessionId: string, fields: readonly Field[], fencingToken?: number): Promise<ReadResult> {
    return this.#connection.read(statements => {
      const { head } = this.#find(statements, sessionId, fencingToken)
      const values = fields.map(field => (head.exists ? statements.getField(sessionId, field) : undefined))
      return { head, values }
    })
  }

  async readAll(sessionId: string): Promise<SnapshotResult> {
    return this.#connection.read(statements => {
      const { head } = this.#find(statements, sessionId)
      return { head, fields: head.exists ? statements.allFields(sessionId) : [] }
    })
  }

  async summarize(sessionId: string): Promise<Summary> {
    return this.#connection.read(statements => {
      const { row, head } = this.#find(statements, sessionId)
      return {
        head,
        ...statements.findNotes(sessionId),
        expiresAtMs: row?.expires_at ?? undefined,
        leaseEndsAtMs: ifAhead(row?.lease_until, this.#now()),
        creds: head.exists ? statements.peekCreds(sessionId) : undefined,
      }
    })
  }

  async readHistory(sessionId: string, fields: readonly Field[]): Promise<HistoryResult> {
    return this.#connection.read(statements => {
      const { row, head } = this.#find(statements, sessionId)
      const versions = fields.map(field => statements.fieldVersion(sessionId, field) ?? 0)
      const { vacant_since, operation, forks } = row ?? {}
      const isDeleted = typeof vacant_since === 'number' && Boolean(operation)
      return { head, isDeleted, forks: parseForks(forks ?? ''), versions }
    })
  }

  commit(sessionId: string, commit: Commit): Promise<CommitResult> {
    return this.#write(statements => {
      const found = this.#find(statements, sessionId)
      const { row, head } = found
      const applied = findOperation(row?.operation, commit.operationId)
      if (applied) return toResult({ ...head, ...checkApplied(sessionId, applied), operation: applied.id })
      checkGuard(sessionId, head, commit)
      if (isNoOp(head, commit)) return toResult({ ...head, operation: '' })
      return this.#apply(statements, sessionId, found, commit)
    }, commit.call)
  }

  delete(sessionId: string, deletion: Deletion): Promise<BackendDeletion> {
    return this.#write(statements => {
      this.#delete(statements, sessionId, deletion)
      const { head } = this.#find(statements, sessionId)
      const { version, fence, operation, updatedAtMs: deletedAtMs } = head
      return { version, fence, operation, deletedAtMs, durability: 'durable' }
    }, deletion.call)
  }

  #delete(statements: Statements, sessionId: string, deletion: Deletion): void {
    const found = this.#lookToDelete(statements, sessionId, deletion)
    if (found && findOperation(found.row?.operation, deletion.operationId)) return
    if (found) checkGuard(sessionId, found.head, deletion)
    if (found && hasNext(found.head)) {
      const { row, head } = found
      const { version, fence } = head // `floor`'s without a row
      this.#bury(statements, row ?? { ...NO_ROW, id: sessionId, version, fence }, deletion)
    } else {
      const beyond = this.#beyondLastKnown(statements, sessionId, deletion)
      this.#bury(statements, { ...NO_ROW, id: sessionId, ...beyond }, deletion)
    }
  }

  claim(sessionId: string, { leaseMs, owner, keepsLife, call }: ClaimTerms = {}): Promise<BackendClaim> {
    return this.#write(statements => {
      this.#sweep(statements)
      const { row: expired, isExpired } = this.#find(statements, sessionId)
      this.#assertNoLease(sessionId, expired)
      if (expired && isExpired) this.#expire(statements, expired)
      const { row, head } = this.#find(statements, sessionId)
      // At least the time, so that the token outranks all tokens from before a backup was restored.
      const fence = Math.max(head.fence + 1, this.#now())
      const expiresAt = keepsLife ? (row?.expires_at ?? null) : this.#endOf(this.#ttlMs)
      const next = {
        id: sessionId,
        version: head.version,
        fence,
        updated_at: head.updatedAtMs,
        expires_at: head.exists ? expiresAt : null,
        vacant_since: head.exists ? null : this.#now(),
        operation: row?.operation ?? null,
        lease_until: this.#endOf(leaseMs),
        incarnation: row?.incarnation ?? null,
        forks: row?.forks ?? null,
      }
      statements.putSession(next)
      statements.setClaim(sessionId, this.#now(), owner)
      const creds = head.exists ? statements.getField(sessionId, CREDS_FIELD) : undefined
      return { fencingToken: fence, head: { ...head, fence }, creds }
    }, call)
  }

  async findEnd(sessionId: string): Promise<number | undefined> {
    return this.#connection.read(statements => {
      const { row, isExpired } = this.#find(statements, sessionId)
      return isExpired ? (row?.expires_at ?? undefined) : undefined
    })
  }

  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    return this.#write(statements => {
      const { row, head } = this.#find(statements, sessionId)
      checkGuard(sessionId, head, { fencingToken })
      if (row) statements.setLease(sessionId, this.#endOf(leaseMs))
    })
  }

  touch(sessionId: string, ttlMs: number | null): Promise<void> {
    return this.#write(statements => {
      const { head } = this.#find(statements, sessionId)
      if (head.exists) statements.setExpiry(sessionId, this.#endOf(ttlMs))
    })
  }

  async list(limit: number, cursor: string | undefined): Promise<SessionPage> {
    const sessionIds = this.#connection.read(statements =>
      statements.listSessions(cursor ?? '', this.#now(), limit),
    )
    return { sessionIds, cursor: sessionIds.length < limit ? null : (sessionIds.at(-1) ?? null) }
  }

  async listFields(sessionId: string, type: string | undefined, fencingToken?: number): Promise<Field[]> {
    return this.#connection.read(statements => {
      const { head } = this.#find(statements, sessionId, fencingToken)
      return head.exists ? statements.listFields(sessionId, type) : []
    })
  }

  async isHealthy(): Promise<boolean> {
    try {
      this.#connection.read(statements => statements.floor())
      return true
    } catch {
      return false // the failure is the answer
    }
  }

  close(): Promise<void> {
    return this.#release()
  }

  /** `call`: the one that waits for this write; it may end while the write waits for the lock. */
  #write<T>(run: (statements: Statements) => T, call?: Call): Promise<T> {
    return this.#connection.write(this.#busyTimeoutMs, statements => {
      assertAwaited(call)
      return run(statements)
    })
  }

  /** `undefined`: the session is damaged, or only parts of it are left. Throws if the deletion has conditions. */
  #lookToDelete(statements: Statements, sessionId: string, deletion: Deletion): Found | undefined {
    try {
      return this.#find(statements, sessionId)
    } catch (error) {
      const hasConditions = deletion.fencingToken !== undefined || deletion.expectedVersion !== undefined
      if (!isSessionDamage(error) || hasConditions) throw error
      return undefined
    }
  }

  /**
   * Throws for damage, and for fields without their session. `fencingToken`: the caller's; for its owner, an expired
   * session still exists.
   */
  #find(statements: Statements, sessionId: string, fencingToken = -1): Found {
    const row = statements.findSession(sessionId)
    const { version, fence } = row ?? statements.floor()
    const isExpired = row !== undefined && row.expires_at !== null && row.expires_at <= this.#now()
    const isVacant = row === undefined || row.vacant_since !== null
    if (isVacant && statements.hasFields(sessionId)) throw new SessionIncompleteError({ sessionId })
    const exists = !isVacant && (!isExpired || fencingToken >= fence)
    const { incarnation, operation, updated_at: updatedAtMs = 0 } = row ?? {}
    const ops = operation ?? ''
    const history = { incarnation: incarnation ?? '', operation: lastOperation(ops, version), ops }
    return { row, isExpired, head: { exists, version, fence, updatedAtMs, ...history } }
  }

  #apply(statements: Statements, sessionId: string, found: Found, commit: Commit): CommitResult {
    const { row, head, isExpired } = found
    // The owner of an expired session brings it back whole; for other writers, a new session begins.
    const begins = !head.exists && !(isExpired && commit.fencingToken !== undefined)
    checkBeginning(sessionId, begins, commit)
    if (row && isExpired && begins) statements.deleteFields(sessionId)
    const { lifeMs = this.#ttlMs } = commit
    const updatedAtMs = this.#now()
    const version = Math.max(head.version, commit.above ?? 0) + 1
    const applied = { id: commit.operationId, version, updatedAtMs }
    const next = {
      id: sessionId,
      version,
      fence: Math.max(head.fence, commit.fencingToken ?? 0),
      updated_at: updatedAtMs,
      expires_at: lifeMs === 'kept' ? (row?.expires_at ?? null) : this.#endOf(lifeMs),
      vacant_since: null,
      operation: noteOperation(row?.operation, applied),
      lease_until: row?.lease_until ?? null,
      ...nextHistory(
        { incarnation: head.incarnation, forks: row?.forks ?? '' },
        { ...commit, fork: commit.fork, begins, before: head.version, version },
      ),
    }
    statements.putSession(next)
    if (begins) statements.setBeginning(sessionId, updatedAtMs)
    for (const write of commit.writes) {
      if (write.bytes === null) statements.deleteField(sessionId, write)
      else statements.putField(sessionId, write, write.version ?? version, write.bytes)
    }
    return toResult({ version, updatedAtMs, incarnation: next.incarnation, operation: commit.operationId })
  }

  /**
   * Leaves a tombstone, also if there is no session: a process may know one that the file has lost. Its fence is above
   * every token handed out, so that no earlier owner can write; without a token, also above those of lost claims.
   */
  #bury(statements: Statements, row: SessionRow, deletion: Deletion): void {
    const { operationId, above = 0, fencingToken, deletedAtMs = this.#now() } = deletion
    const version = Math.max(row.version, above) + 1
    this.#vacate(statements, {
      ...row,
      version,
      fence: Math.max(row.fence + 1, fencingToken === undefined ? deletedAtMs : fencingToken + 1),
      updated_at: deletedAtMs,
      operation: noteOperation(null, { id: operationId, version, updatedAtMs: deletedAtMs }),
      incarnation: row.incarnation || operationId,
    })
  }

  #expire(statements: Statements, row: SessionRow): void {
    this.#vacate(statements, { ...row, version: row.version + 1, fence: row.fence + 1, operation: null })
  }

  #vacate(statements: Statements, row: SessionRow): void {
    statements.deleteFields(row.id)
    statements.putSession({ ...row, expires_at: null, vacant_since: this.#now(), lease_until: null })
    statements.forgetNotes(row.id)
  }

  /** Above all versions seen and tokens handed out, which the file may have forgotten. */
  #beyondLastKnown(statements: Statements, sessionId: string, { seenVersion = 0 }: Deletion): Floor {
    const { version, fence } = this.#lastKnown(statements, sessionId)
    return {
      version: Math.min(Math.max(version, seenVersion) + FORGOTTEN, MAX_FLOOR),
      fence: Math.min(Math.max(fence, this.#now()) + FORGOTTEN, MAX_FLOOR),
    }
  }

  #lastKnown(statements: Statements, sessionId: string): Floor {
    try {
      const row = statements.findSession(sessionId)
      return row && hasNext(row) ? row : statements.floor()
    } catch {
      return statements.floor() // the row is damaged, as the caller has found
    }
  }

  /** Removes what has expired: copies at most once a minute; sessions and tombstones, after a day, once an hour. */
  #sweep(statements: Statements): void {
    const nowMs = this.#now()
    const isCopiesTurn = nowMs - this.#sweptCopiesAtMs >= SWEEP_COPIES_EVERY_MS
    if (isCopiesTurn) {
      this.#sweptCopiesAtMs = nowMs
      for (const name of statements.listExpiredCopies(nowMs)) this.#sweepSession(statements, name)
    }
    if (nowMs - this.#sweptAtMs < SWEEP_EVERY_MS) return
    this.#sweptAtMs = nowMs
    for (const sessionId of statements.listExpired(nowMs - GRACE_MS)) {
      this.#sweepSession(statements, sessionId)
    }
    statements.raiseFloor(nowMs - TOMBSTONE_MS)
    statements.deleteVacant(nowMs - TOMBSTONE_MS)
  }

  /** Leaves a damaged session, so that its opener gets the error. */
  #sweepSession(statements: Statements, sessionId: string): void {
    try {
      const row = statements.findSession(sessionId)
      if (row) this.#expire(statements, row)
    } catch (error) {
      if (!hasCode(error, 'CORRUPT_VALUE')) throw error
    }
  }

  #assertNoLease(sessionId: string, row: SessionRow | undefined): void {
    const remainingMs = (row?.lease_until ?? 0) - this.#now()
    checkLease(sessionId, remainingMs)
    if (remainingMs > 0) throw new SessionLockedError(remainingMs, { sessionId })
  }

  /** When a life or lease that begins now ends; `null` or `undefined`: never. */
  #endOf(lifeMs: number | null | undefined): number | null {
    return lifeMs == null ? null : this.#now() + lifeMs
  }
}
