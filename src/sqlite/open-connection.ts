import { accessSync, closeSync, constants, existsSync, openSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { ConnectionPool, type Lease } from '../core/connection/connection-pool.js'
import { CorruptValueError, InvalidOptionError, StoreUnavailableError } from '../core/errors.js'
import { maskText } from '../core/masking.js'
import { assertWhole, type OpenDatabase, SqliteConnection } from './connection.js'
import { type Driver, loadDriver, type SqliteDatabase } from './driver.js'
import { isDamaged, readLog } from './log.js'
import { migrate, readVersion } from './migrations.js'
import { assertOneName } from './one-name.js'
import { EMPTY_BYTES, Place, pathOf } from './place.js'
import { prepareQuery } from './query.js'
import { toStoreError, withoutPath } from './sqlite-errors.js'
import type { SqliteOptions } from './sqlite-options.js'

/** How long SQLite itself waits for a lock, blocking the process: during setup, and afterwards. In milliseconds. */
const SETUP_BUSY_MS = 5000
const BLOCKING_BUSY_MS = 20

const files = new ConnectionPool<SqliteConnection>(connection => connection.close())

/** Stores of this process on the same file share one connection. The last one to close closes it. */
export async function openConnection(options: SqliteOptions): Promise<Lease<SqliteConnection>> {
  const { database, path = '', synchronous = 'full' } = options
  try {
    if (database !== undefined) {
      const file = pathOf(database)
      if (file !== undefined) assertOneName(realpathSync(file), 'database')
      assertUndoable(database)
      database.exec('PRAGMA count_changes = OFF') // else libsql refuses each write, as it answers with a row
      migrate(database)
      const connection = new SqliteConnection({
        database,
        place: file === undefined ? undefined : new Place(file),
      })
      return { connection, release: () => connection.release() }
    }
    const Database = await loadDriver()
    if (path === ':memory:') {
      const connection = new SqliteConnection({
        database: openWith(Database, path, synchronous),
        place: undefined,
      })
      return { connection, release: () => connection.close() }
    }
    const file = resolveFile(path)
    return await files.acquire(`${file} ${synchronous}`, async () => {
      assertLogFits(file)
      createFile(file)
      assertOneName(realpathSync(file), 'path')
      const open = () => openFile(Database, file, synchronous)
      return new SqliteConnection(open(), () => {
        assertFilled(file)
        return open()
      })
    })
  } catch (error) {
    throw toStoreError(error, path === '' ? undefined : maskText(path))
  }
}

function openFile(Database: Driver, file: string, synchronous: string): OpenDatabase {
  const before = new Place(file)
  assertWhole(before)
  const database = openWith(Database, file, synchronous)
  if (before.isThere) return { database, place: new Place(file) }
  database.close()
  throw new StoreUnavailableError('SQLite', 'the file was replaced while it was being opened.', {
    address: before.name,
  })
}

function openWith(Database: Driver, file: string, synchronous: string): SqliteDatabase {
  const database = new Database(file)
  try {
    database.exec(`PRAGMA busy_timeout = ${SETUP_BUSY_MS}`)
    readVersion(database) // refuses a foreign file before its journal mode changes
    database.exec('PRAGMA journal_mode = WAL')
    database.exec(`PRAGMA synchronous = ${synchronous}`)
    migrate(database)
    database.exec(`PRAGMA busy_timeout = ${BLOCKING_BUSY_MS}`) // the connection does longer waits, without blocking
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * Refuses a log without its file, which SQLite would delete, and a damaged one, which it would ignore: with it goes what
 * was acknowledged.
 */
function assertLogFits(file: string): void {
  const path = toTarget(file)
  const log = readLog(`${path}-wal`) // before the file: another process may be making both now
  if (log === undefined || log.sizeBytes === 0) return
  const isFilled = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > EMPTY_BYTES
  if (isFilled && !isDamaged(log)) return
  const name = maskText(path)
  throw new CorruptValueError(
    isFilled
      ? `The log "${name}-wal" is damaged, and with it what was written last.`
      : `The SQLite file "${name}" is missing or empty, and its log is there. To begin anew, delete its "-wal" and ` +
          '"-shm" files as well.',
    {},
    isFilled
      ? 'restore the log from a backup, or delete it and the "-shm" file to go on without those writes'
      : 'restore the file from a backup',
  )
}

/** SQLite's other files lie beside the target of a link. */
function toTarget(file: string): string {
  return existsSync(file) ? realpathSync(file) : file
}

/** Refuses an empty file: a copy that has just begun would look like a new file. */
function assertFilled(file: string): void {
  if (statSync(file).size > EMPTY_BYTES) return
  throw new StoreUnavailableError('SQLite', 'an empty file was put in the place of the one that is open.', {
    address: maskText(file),
  })
}

/** Refuses a database without a journal: it could not undo a write that fails half-way. */
function assertUndoable(database: SqliteDatabase): void {
  const from = `FROM (SELECT journal_mode = 'off' AS is_off FROM pragma_journal_mode)`
  if (prepareQuery(database, ['is_off'], from).get()?.is_off !== 1) return
  throw new InvalidOptionError('"sqlite.database" must have a journal, and its "journal_mode" is off.')
}

/**
 * Creates the file, whose mode the -wal and -shm files take. Does not open an existing file: closing it would release
 * the locks of other connections of this process ("How To Corrupt An SQLite Database File", 2.2).
 */
function createFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
  }
  const found = statSync(file, { throwIfNoEntry: false })
  if (found?.isFile()) {
    accessSync(file, constants.R_OK | constants.W_OK) // SQLite tells less of why it cannot
    return
  }
  const kind = found?.isDirectory() ? 'a folder' : found ? 'no regular file' : 'a link that leads nowhere'
  throw new InvalidOptionError(`"sqlite.path" must be a file, and "${maskText(file)}" is ${kind}.`)
}

/** One name for one file, through whatever path it is reached. */
function resolveFile(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    const folder = maskText(dirname(resolve(path)))
    throw new InvalidOptionError(
      `"sqlite.path" must be in a folder that exists, and "${folder}" does not; make it first.`,
      { cause: withoutPath(cause) },
    )
  }
}
