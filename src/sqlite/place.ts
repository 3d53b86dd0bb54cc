import { statSync } from 'node:fs'
import { StoreUnavailableError } from '../core/errors.js'
import type { SqliteDatabase } from './driver.js'

/** The database, and what SQLite keeps beside it: its log, and the memory that processes share. */
const SUFFIXES = ['', '-wal', '-shm'] as const
type Suffix = (typeof SUFFIXES)[number]

/** `replaced`: another file has its name. `gone`: none has. `cut off`: it has lost a file beside it. */
export type Fate = 'there' | 'replaced' | 'gone' | 'cut off'

/**
 * Where the files of an open database are. A program goes on writing to a file that was deleted or replaced, and nobody
 * will find that again: so the files that are at its path must be those that were opened ("How To Corrupt An SQLite
 * Database File", 4.1 and 1.4, on sqlite.org).
 */
export class Place {
  readonly #path: string
  readonly #opened: ReadonlyMap<Suffix, string>

  /** To be made when the database is open, and has been read. */
  constructor(path: string) {
    this.#path = path
    const found = SUFFIXES.map(suffix => [suffix, identify(path + suffix)] as const)
    this.#opened = new Map(found.filter((entry): entry is [Suffix, string] => entry[1] !== undefined))
  }

  /** Of a database that is given: `undefined` where it is in memory, or SQLite does not say. */
  static of(database: SqliteDatabase): Place | undefined {
    const [main] = database.prepare("SELECT file FROM pragma_database_list WHERE name = 'main'").all()
    const path = Array.isArray(main) ? main[0] : (main as { file?: unknown } | undefined)?.file
    return typeof path === 'string' && path !== '' ? new Place(path) : undefined
  }

  /** The database itself; a few microseconds. */
  get isThere(): boolean {
    return this.#has('')
  }

  /** All its files. */
  look(): Fate {
    if (!this.isThere) return identify(this.#path) === undefined ? 'gone' : 'replaced'
    return this.#has('-wal') && this.#has('-shm') ? 'there' : 'cut off'
  }

  /** Whether what SQLite has not brought into the database yet may be: nobody else has begun another log. */
  get mayCheckpoint(): boolean {
    const log = identify(`${this.#path}-wal`)
    return log === undefined || log === this.#opened.get('-wal')
  }

  #has(suffix: Suffix): boolean {
    const opened = this.#opened.get(suffix)
    return opened === undefined || opened === identify(this.#path + suffix)
  }
}

/** What to tell the caller. */
export function toLoss(fate: Exclude<Fate, 'there'>): StoreUnavailableError {
  return new StoreUnavailableError('SQLite', LOSSES[fate])
}

const LOSSES = {
  gone:
    'the file was deleted or moved away while it was open, and what is written to it would be lost. ' +
    'Put it back, or close the store and open another file.',
  replaced:
    'another file was put in the place of the one that is open. Close the database and open it again.',
  'cut off':
    'its "-wal" or "-shm" file was deleted or replaced while it was open, and what is written would be lost. ' +
    'Close the stores on it in all processes, and open them again.',
} as const

/** `undefined` where there is no such file. */
function identify(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found && `${found.dev} ${found.ino}`
}
