import { closeSync, openSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ConnectionPool, type Lease } from '../core/connection-pool.js'
import { InvalidOptionError } from '../core/errors.js'
import { SqliteConnection } from './connection.js'
import { openDatabase, type SqliteDatabase } from './driver.js'
import { migrate } from './migrations.js'
import { toStoreError } from './sqlite-errors.js'
import type { SqliteOptions } from './sqlite-options.js'

/** Milliseconds that SQLite itself waits for a lock, blocking the process: while a file is set up, and afterwards. */
const SETUP_BUSY_MS = 5000
const BLOCKING_BUSY_MS = 20

const files = new ConnectionPool<SqliteConnection>(connection => connection.close())

/** Stores of this process on the same file share one connection, which the last of them closes. */
export async function openConnection(options: SqliteOptions): Promise<Lease<SqliteConnection>> {
  const { database, path = '', synchronous = 'full' } = options
  try {
    if (database !== undefined) {
      const connection = prepare(database)
      return { connection, release: () => connection.release() }
    }
    if (path === ':memory:') {
      const connection = await openFile(path, synchronous)
      return { connection, release: () => connection.close() }
    }
    const file = resolveFile(path)
    return await files.acquire(`${file} ${synchronous}`, () => openFile(file, synchronous))
  } catch (error) {
    throw toStoreError(error)
  }
}

async function openFile(file: string, synchronous: string): Promise<SqliteConnection> {
  if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600)) // the -wal and -shm files take its mode
  const database = await openDatabase(file)
  try {
    database.exec(`PRAGMA busy_timeout = ${SETUP_BUSY_MS}`)
    database.exec('PRAGMA journal_mode = WAL')
    database.exec(`PRAGMA synchronous = ${synchronous}`)
    const connection = prepare(database)
    database.exec(`PRAGMA busy_timeout = ${BLOCKING_BUSY_MS}`) // longer waits are ours, and do not block
    return connection
  } catch (error) {
    database.close()
    throw error
  }
}

function prepare(database: SqliteDatabase): SqliteConnection {
  migrate(database)
  return new SqliteConnection(database)
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
