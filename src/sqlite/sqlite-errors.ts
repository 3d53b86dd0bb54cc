import { CorruptValueError, InvalidOptionError, StoreError, StoreUnavailableError } from '../core/errors.js'

interface ResultCode {
  readonly name: string
  readonly code: number
  readonly reason: string
}

/** Primary result codes (sqlite.org/rescode.html): the low byte of the drivers' codes. */
const ERROR = 1
const BUSY = 5
const LOCKED = 6
const CORRUPT = 11
const NOT_A_DATABASE = 26
const RESULT_CODES: readonly ResultCode[] = [
  { name: 'SQLITE_ERROR', code: ERROR, reason: 'it refused a statement' },
  { name: 'SQLITE_BUSY', code: BUSY, reason: 'another process holds the lock of the file' },
  { name: 'SQLITE_LOCKED', code: LOCKED, reason: 'another statement holds the lock of the file' },
  { name: 'SQLITE_READONLY', code: 8, reason: 'the file cannot be written' },
  { name: 'SQLITE_IOERR', code: 10, reason: 'the disk reported an error' },
  { name: 'SQLITE_CORRUPT', code: CORRUPT, reason: 'the file is damaged' },
  { name: 'SQLITE_FULL', code: 13, reason: 'the disk is full' },
  { name: 'SQLITE_CANTOPEN', code: 14, reason: 'the file cannot be opened; its rights may forbid it' },
  { name: 'SQLITE_NOTADB', code: NOT_A_DATABASE, reason: 'the file is no database' },
]

/** What the system's errors mean for the path. */
const DENIALS: Readonly<Record<string, string>> = {
  EACCES: 'the user of this process may not read and write it, or not in its folder',
  EPERM: 'the user of this process may not read and write it, or not in its folder',
  EROFS: 'its file system can only be read',
  ENAMETOOLONG: 'it is too long',
  ENOTDIR: 'a part of it that should be a folder is a file',
}

export function isBusy(error: unknown): boolean {
  const code = readCode(error)
  return code === BUSY || code === LOCKED
}

/** Whether SQLite refused a statement, e.g. because it does not fit the tables. */
export function isOfSql(error: unknown): boolean {
  return readCode(error) === ERROR
}

/** Wraps a driver's error; returns a `StoreError` as it is. `file`: its path, masked, if there is one. */
export function toStoreError(cause: unknown, file?: string): StoreError {
  if (cause instanceof StoreError) return cause
  const denied = DENIALS[String((cause as NodeJS.ErrnoException).code)]
  if (denied !== undefined)
    return new InvalidOptionError(`"sqlite.path" cannot be used: ${denied}.`, { cause: withoutPath(cause) })
  const code = readCode(cause)
  if (code === CORRUPT || code === NOT_A_DATABASE) {
    const named = file === undefined ? '' : ` "${file}"`
    return code === CORRUPT
      ? new CorruptValueError(`The SQLite file${named} is damaged.`, { cause }, 'restore it from a backup')
      : new CorruptValueError(
          `The file${named} is no SQLite database.`,
          { cause },
          'if it belongs to something else, give another "path"; if it was a database, restore it from a backup',
        )
  }
  return new StoreUnavailableError('SQLite', `${describe(code)}.`, { cause, address: file })
}

/** The system's text quotes the path, which may hold a phone number. */
export function withoutPath(cause: unknown): Error {
  const { code, syscall } = cause as NodeJS.ErrnoException
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall })
}

function describe(code: number | undefined): string {
  if (code === undefined) return 'the driver failed, see the cause'
  return RESULT_CODES.find(known => known.code === code)?.reason ?? `SQLite code ${code}`
}

/** node:sqlite has `errcode`, libsql `rawCode`, and better-sqlite3 only the name. */
function readCode(error: unknown): number | undefined {
  const { errcode, rawCode, code } = error as { errcode?: unknown; rawCode?: unknown; code?: unknown }
  const extended = errcode ?? rawCode
  if (typeof extended === 'number') return extended & 0xff
  return typeof code === 'string' ? RESULT_CODES.find(({ name }) => code.startsWith(name))?.code : undefined
}
