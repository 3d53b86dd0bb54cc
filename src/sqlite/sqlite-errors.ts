import { CorruptValueError, StoreError, StoreUnavailableError } from '../core/errors.js'

/** Primary result codes (sqlite.org/rescode.html): the low byte of what the drivers report. */
const BUSY = 5
const LOCKED = 6
const CORRUPT = 11
const NOT_A_DATABASE = 26
const REASONS: Readonly<Record<number, string>> = {
  [BUSY]: 'another process holds the lock of the file',
  [LOCKED]: 'another statement holds the lock of the file',
  8: 'the file cannot be written',
  10: 'the disk reported an error',
  13: 'the disk is full',
  14: 'the file cannot be opened',
}

export function isBusy(error: unknown): boolean {
  const code = readCode(error)
  return code === BUSY || code === LOCKED
}

/** Wraps what a driver throws; a `StoreError` passes as it is. */
export function toStoreError(cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause
  const code = readCode(cause)
  if (code === CORRUPT || code === NOT_A_DATABASE) {
    return new CorruptValueError('The SQLite file is damaged or is no database.', { cause })
  }
  const reason =
    code === undefined ? 'the driver failed, see the cause' : (REASONS[code] ?? `SQLite code ${code}`)
  return new StoreUnavailableError('SQLite', `${reason}.`, { cause })
}

/** `errcode` is node:sqlite's, `rawCode` libsql's; better-sqlite3 has the name alone. */
function readCode(error: unknown): number | undefined {
  const { errcode, rawCode, code } = error as { errcode?: unknown; rawCode?: unknown; code?: unknown }
  const extended = errcode ?? rawCode
  if (typeof extended === 'number') return extended & 0xff
  return typeof code === 'string' ? NAMES.find(([name]) => code.startsWith(name))?.[1] : undefined
}

const NAMES: readonly (readonly [name: string, code: number])[] = [
  ['SQLITE_BUSY', BUSY],
  ['SQLITE_LOCKED', LOCKED],
  ['SQLITE_READONLY', 8],
  ['SQLITE_IOERR', 10],
  ['SQLITE_CORRUPT', CORRUPT],
  ['SQLITE_FULL', 13],
  ['SQLITE_CANTOPEN', 14],
  ['SQLITE_NOTADB', NOT_A_DATABASE],
]
