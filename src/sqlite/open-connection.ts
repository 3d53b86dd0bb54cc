import { closeSync, openSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ConnectionPool, type Lease } from '../core/connection-pool.js'
import { InvalidOptionError, StoreError } from '../core/errors.js'
import { SqliteConnection } from './connection.js'
import { openDatabase, type SqliteDatabase } from './driver.js'
import { migrate } from './migrations.js'
import { toStoreError } from './sqlite-errors.js'
import type { SqliteOptions } from './sqlite-options.js'

/** Milliseconds that SQLite itself waits for a lock, blocking the process; longer waits are ours, and do not. */
const BLOCKING_BUSY_MS = 20

const files = new ConnectionPool<SqliteConnection>(connection => connection.close(true))

/** Stores of this process on the same file share one connection, which the last of them closes. */
export async function openConnection(options: SqliteOptions): Promise<Lease<SqliteConnection>> {
  const { database, path = '', synchronous = 'full' } = options
  if (database !== undefined) return wrapGiven(database)
  if (path === ':memory:') return openPrivate(path, synchronous)
  const file = resolveFile(path)
  return files.acquire(`${file} ${synchronous}`, () => openFile(file, synchronous))
}

function wrapGiven(database: SqliteDatabase): Lease<SqliteConnection> {
  const connection = prepare(database)
  return { connection, release: () => connection.close(false) }
}

async function openPrivate(path: string, synchronous: string): Promise<Lease<SqliteConnection>> {
  const connection = await openFile(path, synchronous)
  return { connection, release: () => connection.close(true) }
}

async function openFile(file: string, synchronous: string): Promise<SqliteConnection> {
  const database = await open(file)
  try {
    database.exec(`PRAGMA busy_timeout = ${BLOCKING_BUSY_MS}`)
    database.exec('PRAGMA journal_mode = WAL')
    database.exec(`PRAGMA synchronous = ${synchronous}`)
    return prepare(database)
  } catch (error) {
    database.close()
    throw toStoreError(error)
  }
}

async function open(file: string): Promise<SqliteDatabase> {
  try {
    if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600)) // the -wal and -shm files take its mode
    return await openDatabase(file)
  } catch (error) {
    throw error instanceof StoreError ? error : toStoreError(error)
  }
}

function prepare(database: SqliteDatabase): SqliteConnection {
  try {
    migrate(database)
    return new SqliteConnection(database)
  } catch (error) {
    throw toStoreError(error)
  }
}

/** One name for one file, however it is reached. */
function resolveFile(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch (cause) {
    throw new InvalidOptionError('"sqlite.path" must be in a folder that exists; make the folder first.', {
      cause,
    })
  }
}
