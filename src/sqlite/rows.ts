import { MAX_COUNT } from '../core/arguments.js'
import { CorruptValueError } from '../core/errors.js'
import type { AppliedOperation } from '../core/operation-ids.js'
import type { Field, StoredField } from '../core/store.js'
import type { Cell } from './query.js'

export interface SessionRow {
  id: string
  version: number
  fence: number
  updated_at: number
  expires_at: number | null
  vacant_since: number | null
  /** The last ones that were applied: see core/operation-ids. */
  operation: string | null
  lease_until: number | null
  /** These two as core/histories.ts has them; `NULL` in sessions of earlier releases. */
  incarnation: string | null
  forks: string | null
}

export type StateColumn = Exclude<keyof SessionRow, 'id'>

export interface Floor {
  version: number
  fence: number
}

/** Characters of a text column that are read. */
export const MAX_TEXT = 64 * 1024

/** Of the table `session`, but for its name. Those that are written are those that are read. */
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

/** Rows as they are used: what the file holds is checked here, once. Throws `CorruptValueError`. */
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
  const instant = (column: StateColumn): number | null => (row[column] === null ? null : whole(column))
  const text = (column: StateColumn): string | null => {
    const cell = row[column]
    return cell === null || (typeof cell === 'string' && cell.length < MAX_TEXT) ? cell : fail(column)
  }
  return {
    id: sessionId,
    version: whole('version'),
    fence: whole('fence'),
    updated_at: whole('updated_at'),
    expires_at: instant('expires_at'),
    vacant_since: instant('vacant_since'),
    operation: text('operation'),
    lease_until: instant('lease_until'),
    incarnation: text('incarnation'),
    forks: areForks(text('forks')) ? text('forks') : fail('forks'),
  }
}

/** An operation that the row remembers. */
export function checkApplied(sessionId: string, applied: AppliedOperation): AppliedOperation {
  if (isWhole(applied.version) && isWhole(applied.updatedAtMs)) return applied
  throw new CorruptValueError('The row of the session is damaged: "operation" says no version.', {
    sessionId,
  })
}

export function toFloor(row: Record<keyof Floor, Cell> | undefined): Floor {
  if (row && isWhole(row.version) && isWhole(row.fence)) return { version: row.version, fence: row.fence }
  throw new CorruptValueError('The table "floor" of the SQLite file is damaged.')
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

/** libsql 0.5 gives Buffers from `get` and ArrayBuffers from `all`. */
export function toBytes(bytes: Cell, sessionId: string): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes)
  throw new CorruptValueError('A value of the session is no bytes.', { sessionId })
}

/** As core/histories.ts writes them. */
function areForks(text: string | null): boolean {
  return (text ?? '').split('\n').every(line => line === '' || /^\S+ \d{1,16} \d{1,16}$/.test(line))
}

function isWhole(cell: Cell): cell is number {
  return Number.isSafeInteger(cell) && (cell as number) >= 0 && (cell as number) <= MAX_COUNT
}
