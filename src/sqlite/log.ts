import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** The first bytes of a log but for the last one, which tells the byte order ("WAL File Format", sqlite.org). */
const MAGIC = '377f06'
const HEADER_BYTES = 32

/** The database's write-ahead log (-wal) as it was at one moment. */
export interface Log {
  /** Device and inode. */
  readonly identity: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  /** The first bytes, in hex: SQLite's sign, and the salts, which change whenever SQLite begins the log anew. */
  readonly header: string
}

/** `undefined` if there is no log at the path. */
export function readLog(path: string): Log | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { dev, ino, size, mtimeMs } = fstatSync(file)
    const header = Buffer.alloc(HEADER_BYTES)
    readSync(file, header, 0, HEADER_BYTES, 0)
    return {
      identity: `${dev} ${ino}`,
      sizeBytes: size,
      modifiedAtMs: mtimeMs,
      header: header.toString('hex'),
    }
  } finally {
    closeSync(file) // no lock is lost by it: SQLite locks the database and the shared memory, never the log
  }
}

/** Whether nothing was written to the log between the two moments. */
export function isSameLog(one: Log | undefined, other: Log | undefined): boolean {
  return (
    one?.identity === other?.identity &&
    one?.sizeBytes === other?.sizeBytes &&
    one?.modifiedAtMs === other?.modifiedAtMs
  )
}

/** Whether the log does not begin as SQLite's do: SQLite would take it for one without writes. */
export function isDamaged({ sizeBytes, header }: Log): boolean {
  return sizeBytes > 0 && !header.startsWith(MAGIC)
}

/**
 * Whether somebody else than SQLite has cut or overwritten the log since. SQLite empties it once the database has all
 * of it, and begins it anew with other salts; otherwise a log only grows.
 */
export function isCut(before: Log | undefined, now: Log): boolean {
  if (isDamaged(now)) return true
  return now.sizeBytes > 0 && before?.header === now.header && now.sizeBytes < before.sizeBytes
}
