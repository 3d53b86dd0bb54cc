import { realpathSync, statSync } from 'node:fs'
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
  /** What the log looked like when this process had last written to it. */
  #log: string | undefined

  /** To be made when the database is open, and has been read. */
  constructor(path: string) {
    this.#path = realpathSync(path) // what SQLite keeps beside it lies beside the file that a link leads to
    const found = SUFFIXES.map(suffix => [suffix, identify(this.#path + suffix)] as const)
    this.#opened = new Map(found.filter((entry): entry is [Suffix, string] => entry[1] !== undefined))
    this.noteLog()
  }

  /** At once after a transaction: as long as it lasts, nobody else writes to the log. */
  noteLog(): void {
    this.#log = describeLog(this.#path)
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

  /**
   * Of a file that is no longer there: whether what is in the log alone may be brought into it. Not where another process
   * has written to the log since: that one has opened the file which is at the path now, whose log it is by its name.
   */
  get mayCheckpoint(): boolean {
    const log = describeLog(this.#path)
    return log === undefined || log === this.#log
  }

  /** Tells files apart, also under another name. */
  get identity(): string | undefined {
    return this.#opened.get('')
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
    'another file was put in the place of the one that is open. Restart this process, and all others that had it open.',
  'cut off':
    'its "-wal" or "-shm" file was deleted or replaced while it was open, and what is written would be lost. ' +
    'Restart all processes that have it open.',
} as const

function describeLog(path: string): string | undefined {
  const found = statSync(`${path}-wal`, { throwIfNoEntry: false })
  return found && `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs}`
}

/** `undefined` where there is no such file. */
function identify(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found && `${found.dev} ${found.ino}`
}
