import { realpathSync, type Stats, statSync } from 'node:fs'
import { StoreUnavailableError } from '../core/errors.js'
import { maskText } from '../core/masking.js'
import type { SqliteDatabase } from './driver.js'
import { isCut, isSameLog, type Log, readLog } from './log.js'

/** The suffixes of the database's files: the database, its log (-wal), and the memory shared by processes (-shm). */
const SUFFIXES = ['', '-wal', '-shm'] as const
type Suffix = (typeof SUFFIXES)[number]
/** SQLite takes a file of one byte for an empty one. */
export const EMPTY_BYTES = 1

/**
 * `replaced`: another file has its name. `gone`: no file has. `cut off`: it has lost a file beside it. `cut`: another program
 * has emptied it in place, or has cut or overwritten its log.
 */
export type Fate = 'there' | 'replaced' | 'gone' | 'cut off' | 'cut'

/**
 * The files of an open database. A program can go on writing to a deleted or replaced file, which no process will find
 * again. So the files at the path must be those that were opened ("How To Corrupt An SQLite Database File", 4.1 and
 * 1.4, on sqlite.org).
 */
export class Place {
  /** Its path, for errors. */
  readonly name: string
  readonly #path: string
  readonly #opened: ReadonlyMap<Suffix, string>
  /** Whether the database file had any bytes: SQLite never empties it. */
  readonly #isFilled: boolean
  /** The state of the log after this process's last write. */
  #log: Log | undefined
  /** The same when it was last looked at. */
  #seenLog: Log | undefined
  #isCut = false

  /** Call this after the database was opened and read. */
  constructor(path: string) {
    this.#path = realpathSync(path) // SQLite's other files lie beside the target of a link
    this.name = maskText(this.#path)
    const found = SUFFIXES.map(suffix => [suffix, find(this.#path + suffix)] as const)
    const there = found.filter((entry): entry is [Suffix, Stats] => entry[1] !== undefined)
    this.#opened = new Map(there.map(([suffix, stats]) => [suffix, identify(stats)]))
    this.#isFilled = there.some(([suffix, { size }]) => suffix === '' && size > EMPTY_BYTES)
    this.noteLog()
  }

  /** Call this right after a transaction: until it ends, no other process can write to the log. */
  noteLog(): void {
    this.#log = this.#lookAtLog()
  }

  /** Whether the database file is there and is not empty; takes a few microseconds. */
  get isThere(): boolean {
    return this.#lookAtFile() === 'there'
  }

  /** Checks all files. */
  look(): Fate {
    const fate = this.#lookAtFile()
    if (fate !== 'there') return fate
    const log = this.#lookAtLog()
    const hasLog = !this.#opened.has('-wal') || log?.identity === this.#opened.get('-wal')
    if (!hasLog || !this.#has('-shm')) return 'cut off'
    return this.#isCut ? 'cut' : 'there'
  }

  /**
   * For a file that is no longer there: whether its log may be written into it. Not if another process has written to
   * the log since: that process has opened the file now at the path, and the log is that file's. Nor if a file was
   * cut: SQLite would write what it reads there over good pages.
   */
  get mayCheckpoint(): boolean {
    if (this.look() === 'cut') return false
    const log = this.#lookAtLog()
    return log === undefined || isSameLog(log, this.#log)
  }

  /** Identifies a file, also under another name. */
  get identity(): string | undefined {
    return this.#opened.get('')
  }

  /** The error for a lost file. */
  toLoss(fate: Exclude<Fate, 'there'>): StoreUnavailableError {
    return new StoreUnavailableError('SQLite', LOSSES[fate], { address: this.name })
  }

  #lookAtFile(): Fate {
    const found = find(this.#path)
    if (found === undefined) return 'gone'
    if (identify(found) !== this.identity) return 'replaced'
    return found.size <= EMPTY_BYTES && this.#isFilled ? 'cut' : 'there'
  }

  /** Reads twice before the log counts as cut: another process may begin it anew between two readings of one look. */
  #lookAtLog(): Log | undefined {
    const read = () => readLog(`${this.#path}-wal`, this.#seenLog)
    const isWhole = (found: Log | undefined) => found === undefined || !isCut(this.#seenLog, found)
    let log = read()
    if (!isWhole(log)) {
      log = read()
      this.#isCut ||= !isWhole(log)
    }
    this.#seenLog = log
    return log
  }

  #has(suffix: Suffix): boolean {
    const opened = this.#opened.get(suffix)
    if (opened === undefined) return true
    const found = find(this.#path + suffix)
    return found !== undefined && opened === identify(found)
  }
}

/** The path of a given database; `undefined` if it is in memory, or if SQLite does not tell. */
export function pathOf(database: SqliteDatabase): string | undefined {
  const [main] = database.prepare("SELECT file FROM pragma_database_list WHERE name = 'main'").all()
  const path = Array.isArray(main) ? main[0] : (main as { file?: unknown } | undefined)?.file
  return typeof path === 'string' && path !== '' ? path : undefined
}

const LOSSES = {
  gone:
    'the file was deleted or moved away while it was open, and what is written to it would be lost. ' +
    'Put it back, or close the store and open another file.',
  replaced:
    'another file was put in the place of the one that is open. Restart this process, and all others that had it open.',
  'cut off':
    'its "-wal" or "-shm" file was deleted or replaced while it was open, and what is written would be lost. ' +
    'Restart all processes that have it open.',
  cut:
    'another program has emptied the file, or has cut or overwritten its "-wal" file: what was written last is lost. ' +
    'Stop all processes that have it open, and restore a backup.',
} as const

/** `undefined` if there is no such file. */
function find(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}

function identify({ dev, ino }: Stats): string {
  return `${dev} ${ino}`
}
