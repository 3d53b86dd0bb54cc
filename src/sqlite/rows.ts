import type { Field } from '../core/auth-store.js'
import type { AppliedOperation, ClaimNote, StoredField } from '../core/backend.js'
import { CorruptValueError } from '../core/errors.js'
import { MAX_LEASE_MS } from '../core/input/options.js'
import { isOwner } from '../core/names.js'
import { MAX_COUNT, MAX_STORED_COUNT } from '../core/store/arguments.js'
import { isPossibleEnd } from '../core/store/life.js'
import type { Cell } from './query.js'

export interface SessionRow {
  id: string
  version: number
  fence: number
  updated_at: number
  expires_at: number | null
  vacant_since: number | null
  /** The last operations applied: see core/store/operation-ids.ts. */
  operation: string | null
  lease_until: number | null
  /** In the format of core/store/histories.ts; both are `NULL` in sessions of earlier releases. */
  incarnation: string | null
  forks: string | null
}

/** Columns that only the catalogue reads, and that no write depends on. */
export interface SessionNotes {
  createdAtMs: number | undefined
  claim: ClaimNote | undefined
}

export type StateColumn = Exclude<keyof SessionRow, 'id'>

/** A session that takes its first values from `floor` keeps a distance of 2^40 from the limit. */
export const MAX_FLOOR = MAX_STORED_COUNT - 2 ** 40

export interface Floor {
  version: number
  fence: number
}

/** What a row begins with, besides its version and fence. */
export const NO_ROW: Omit<SessionRow, 'id' | keyof Floor> = {
  updated_at: 0,
  expires_at: null,
  vacant_since: null,
  operation: null,
  lease_until: null,
  incarnation: null,
  forks: null,
}

/** The columns of the table `session`, except `id`. Reads and writes use the same list. */
export const STATE_COLUMNS = [
  'version',
  'fence',
  'updated_at',
  'expires_at',
  'vacant_since',
  'operation',
  'lease_until',
  'incarnation',
  'forks',
] as const satisfies readonly (keyof SessionRow)[]

/** Checks a row of the file, once. Throws `CorruptValueError`. */
export function toSessionRow(row: Record<StateColumn, Cell>, sessionId: string): SessionRow {
  const fail = (column: string): never => {
    throw new CorruptValueError(
      `The row of the session is damaged: "${column}" is nothing that is written there.`,
      {
        sessionId,
      },
    )
  }
  const whole = (column: StateColumn): number => (isWhole(row[column]) ? row[column] : fail(column))
  const count = (column: 'version' | 'fence'): number => (isCount(row[column]) ? row[column] : fail(column))
  const instant = (column: StateColumn): number | null => (row[column] === null ? null : whole(column))
  const text = (column: StateColumn): string | null => {
    const cell = row[column]
    return cell === null || typeof cell === 'string' ? cell : fail(column)
  }
  const endOf = (endMs: number | null, writtenMs: number) =>
    endMs === null || isPossibleEnd(endMs, writtenMs) ? endMs : fail('expires_at')
  return {
    id: sessionId,
    version: count('version'),
    fence: count('fence'),
    updated_at: whole('updated_at'),
    expires_at: endOf(instant('expires_at'), whole('updated_at')),
    vacant_since: instant('vacant_since'),
    operation: text('operation'),
    lease_until: instant('lease_until'),
    incarnation: text('incarnation'),
    forks: areForks(text('forks')) ? text('forks') : fail('forks'),
  }
}

/** Damaged notes count as unknown: the session itself is sound. */
export function toNotes(row: Record<'created_at' | 'claimed_at' | 'owner', Cell> | undefined): SessionNotes {
  const { created_at: createdAtMs = null, claimed_at: claimedAtMs = null, owner } = row ?? {}
  return {
    createdAtMs: isWhole(createdAtMs) ? createdAtMs : undefined,
    claim: isWhole(claimedAtMs) ? { claimedAtMs, owner: isOwner(owner) ? owner : undefined } : undefined,
  }
}

/** Whether a deletion can take the next version and fence. */
export function hasNext({ version, fence }: Floor): boolean {
  return Math.max(version, fence) < MAX_STORED_COUNT
}

/** Refuses counts that could not be read again. Throws `CorruptValueError`: no session reaches them by its writes. */
export function checkCounts({ id, version, fence }: SessionRow): void {
  const column = version > MAX_STORED_COUNT ? 'version' : fence > MAX_STORED_COUNT ? 'fence' : undefined
  if (column === undefined) return
  throw new CorruptValueError(`The row of the session is damaged: its "${column}" has no next one.`, {
    sessionId: id,
  })
}

/** No lease is longer than a day: one that ends in more than two days would lock the session for ever. */
export function isPossibleLease(remainingMs: number): boolean {
  return remainingMs <= 2 * MAX_LEASE_MS
}

/** Throws `CorruptValueError`. */
export function checkLease(sessionId: string, remainingMs: number): void {
  if (isPossibleLease(remainingMs)) return
  throw new CorruptValueError('The row of the session is damaged: "lease_until" is too far away.', {
    sessionId,
  })
}

/** Checks an operation that the row remembers. */
export function checkApplied(sessionId: string, applied: AppliedOperation): AppliedOperation {
  if (isWhole(applied.version) && isWhole(applied.updatedAtMs)) return applied
  throw new CorruptValueError('The row of the session is damaged: "operation" says no version.', {
    sessionId,
  })
}

export function toFloor(row: Record<keyof Floor, Cell> | undefined): Floor {
  if (row && isCount(row.version) && isCount(row.fence)) return { version: row.version, fence: row.fence }
  throw new CorruptValueError(
    'The table "floor" of the SQLite file is damaged.',
    {},
    'restore the file from a backup',
  )
}

export function toField({ type, id }: Record<keyof Field, Cell>, sessionId: string): Field {
  if (typeof type === 'string' && typeof id === 'string') return { type, id }
  throw new CorruptValueError('A field of the session has a damaged name.', { sessionId })
}

export function toVersion(version: Cell, sessionId: string): number {
  if (isWhole(version)) return version
  throw new CorruptValueError('A field of the session has a damaged version.', { sessionId })
}

export function toStoredField(row: Record<keyof StoredField, Cell>, sessionId: string): StoredField {
  return { ...toField(row, sessionId), bytes: toBytes(row.bytes, sessionId) }
}

/** libsql 0.5 returns Buffers from `get` and ArrayBuffers from `all`. */
export function toBytes(bytes: Cell, sessionId: string): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes)
  throw new CorruptValueError('A value of the session is no bytes.', { sessionId })
}

/** In the format of core/store/histories.ts. */
function areForks(text: string | null): boolean {
  return (text ?? '').split('\n').every(line => line === '' || /^\S+ \d{1,16} \d{1,16}$/.test(line))
}

function isCount(cell: Cell): cell is number {
  return isWhole(cell) && cell <= MAX_STORED_COUNT
}

function isWhole(cell: Cell): cell is number {
  return Number.isSafeInteger(cell) && (cell as number) >= 0 && (cell as number) <= MAX_COUNT
}
