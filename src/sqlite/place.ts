import { realpathSync, statSync } from 'node:fs'
import { StoreUnavailableError } from '../core/errors.js'
import { maskText } from '../core/masking.js'
import type { SqliteDatabase } from './driver.js'

/** The suffixes of the database's files: the database, its log (-wal), and the memory shared by processes (-shm). */
const SUFFIXES = ['', '-wal', '-shm'] as const
type Suffix = (typeof SUFFIXES)[number]

/** `replaced`: another file has its name. `gone`: no file has. `cut off`: it has lost a file beside it. */
export type Fate = 'there' | 'replaced' | 'gone' | 'cut off'

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
  /** The state of the log after this process's last write. */
  #log: string | undefined

  /** Call this after the database was opened and read. */
  constructor(path: string) {
    this.#path = realpathSync(path) // SQLite's other files lie beside the target of a link
    this.name = maskText(this.#path)
    const found = SUFFIXES.map(suffix => [suffix, identify(this.#path + suffix)] as const)
    this.#opened = new Map(found.filter((entry): entry is [Suffix, string] => entry[1] !== undefined))
    this.noteLog()
  }

  /** Call this right after a transaction: until it ends, no other process can write to the log. */
  noteLog(): void {
    this.#log = describeLog(this.#path)
  }

  /** The place of a given database; `undefined` if it is in memory, or if SQLite does not tell. */
  static of(database: SqliteDatabase): Place | undefined {
    const [main] = database.prepare("SELECT file FROM pragma_database_list WHERE name = 'main'").all()
    const path = Array.isArray(main) ? main[0] : (main as { file?: unknown } | undefined)?.file
    return typeof path === 'string' && path !== '' ? new Place(path) : undefined
  }

  /** Whether the database file is there; takes a few microseconds. */
  get isThere(): boolean {
    return this.#has('')
  }

  /** Checks all files. */
  look(): Fate {
    if (!this.isThere) return identify(this.#path) === undefined ? 'gone' : 'replaced'
    return this.#has('-wal') && this.#has('-shm') ? 'there' : 'cut off'
  }

  /**
   * For a file that is no longer there: whether its log may be written into it. Not if another process has written to
   * the log since: that process has opened the file now at the path, and the log is that file's.
   */
  get mayCheckpoint(): boolean {
    const log = describeLog(this.#path)
    return log === undefined || log === this.#log
  }

  /** Identifies a file, also under another name. */
  get identity(): string | undefined {
    return this.#opened.get('')
  }

  /** The error for a lost file. */
  toLoss(fate: Exclude<Fate, 'there'>): StoreUnavailableError {
    return new StoreUnavailableError('SQLite', LOSSES[fate], { address: this.name })
  }

  #has(suffix: Suffix): boolean {
    const opened = this.#opened.get(suffix)
    return opened === undefined || opened === identify(this.#path + suffix)
  }
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
} as const

function describeLog(path: string): string | undefined {
  const found = statSync(`${path}-wal`, { throwIfNoEntry: false })
  return found && `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs}`
}

/** `undefined` if there is no such file. */
function identify(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found && `${found.dev} ${found.ino}`
}
