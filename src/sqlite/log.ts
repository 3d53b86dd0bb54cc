import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/*
 * "WAL-mode File Format" on sqlite.org: a header of 32 bytes, which are sign, version, size of a page, sequence number,
 * two salts and two checksums; then frames, each a header of 24 bytes and a page. A frame has the salts of the header.
 */
const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const SIGN = 0x377f0682
/** Set in the sign if the checksums take the words as big-endian ones. */
const BIG_ENDIAN = 1
const PAGE_SIZE_AT = 8
const SALTS_AT = 16
const SALTS_BYTES = 8
const SALTS_OF_FRAME_AT = 8
const CHECKSUMS_AT = 24

/** The database's write-ahead log (-wal) as it was at one moment. */
export interface Log {
  /** Device and inode. */
  readonly identity: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  /** The header as far as it is there; empty for an empty log. SQLite changes it when it begins the log anew. */
  readonly header: Buffer
  /** The salts of the frame at its end; empty without one. An older frame may be left behind the last one. */
  readonly endSalts: Buffer
  /** Whether the frame that the earlier log ended with is still there. `true` if it ended with none. */
  readonly hasEarlierEnd: boolean
}

/** `undefined` if there is no log at the path. `earlier`: the log as it was before. */
export function readLog(path: string, earlier?: Log): Log | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    // The header before the size: a log that another process empties between them counts as empty.
    const header = readAt(file, 0, HEADER_BYTES)
    const { dev, ino, size, mtimeMs } = fstatSync(file)
    const sizeBytes = header.length === 0 ? 0 : size
    const endSalts = readEndSalts(file, header, sizeBytes)
    const hasEarlierEnd = !earlier || !endsWithOwnFrame(earlier) || hasEndOf(file, earlier)
    return { identity: `${dev} ${ino}`, sizeBytes, modifiedAtMs: mtimeMs, header, endSalts, hasEarlierEnd }
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

/** Whether SQLite would ignore the log, and the writes in it. */
export function isDamaged({ sizeBytes, header }: Log): boolean {
  return sizeBytes > 0 && !isHeader(header)
}

/**
 * Whether somebody else than SQLite has cut or overwritten the log since. SQLite empties it once the database has all
 * of it, and begins it anew with other salts; otherwise a log only grows.
 */
export function isCut(earlier: Log | undefined, now: Log): boolean {
  if (isDamaged(now)) return true
  if (earlier === undefined || now.sizeBytes === 0 || !now.header.equals(earlier.header)) return false
  return now.sizeBytes < earlier.sizeBytes || !now.hasEarlierEnd
}

function isHeader(header: Buffer): boolean {
  if (header.length < HEADER_BYTES) return false
  const sign = header.readUInt32BE(0)
  if ((sign & ~BIG_ENDIAN) !== SIGN) return false
  const read = (at: number) => ((sign & BIG_ENDIAN) === 0 ? header.readUInt32LE(at) : header.readUInt32BE(at))
  let [first, second] = [0, 0]
  for (let at = 0; at < CHECKSUMS_AT; at += 8) {
    first = (first + read(at) + second) >>> 0
    second = (second + read(at + 4) + first) >>> 0
  }
  return first === header.readUInt32BE(CHECKSUMS_AT) && second === header.readUInt32BE(CHECKSUMS_AT + 4)
}

/** A program that cuts a log leaves a hole where SQLite goes on writing. */
function hasEndOf(file: number, { header, sizeBytes, endSalts }: Log): boolean {
  return readEndSalts(file, header, sizeBytes).equals(endSalts)
}

function endsWithOwnFrame({ header, endSalts }: Log): boolean {
  return endSalts.length > 0 && endSalts.equals(header.subarray(SALTS_AT, SALTS_AT + SALTS_BYTES))
}

function readEndSalts(file: number, header: Buffer, sizeBytes: number): Buffer {
  if (!isHeader(header)) return Buffer.alloc(0)
  const at = sizeBytes - header.readUInt32BE(PAGE_SIZE_AT) - FRAME_HEADER_BYTES
  return at < HEADER_BYTES ? Buffer.alloc(0) : readAt(file, at + SALTS_OF_FRAME_AT, SALTS_BYTES)
}

/** Fewer bytes if the file is shorter. */
function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, readSync(file, bytes, 0, length, position))
}
