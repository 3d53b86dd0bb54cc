import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openDatabase, type SqliteDatabase, type SqliteValue } from '../../src/sqlite/driver.js'
import { createSqliteStore } from '../../src/sqlite/index.js'
import { openConnection } from '../../src/sqlite/open-connection.js'
import { SqliteBackend } from '../../src/sqlite/sqlite-backend.js'
import type { StoreDatabase } from '../conformance/auth-store/harness.js'
import type { BackendOptions } from '../conformance/backend/harness.js'

const STORE_MODULE = new URL('./sqlite-store-module.ts', import.meta.url).href
const TABLES = ['session', 'field', 'floor']

export interface SqliteFile extends StoreDatabase {
  readonly path: string
}

/** A file in a folder of its own. */
export async function createSqliteFile(): Promise<SqliteFile> {
  const folder = await mkdtemp(join(tmpdir(), 'sqlite-'))
  const path = join(folder, 'auth.db')
  return {
    path,
    open: options => openSqliteBackend(path, options),
    openStore: options => createSqliteStore({ ...options, path }),
    source: options => ({ module: STORE_MODULE, options: { ...options, path } }),
    remember: () => remember(path),
    dump: () => dump(dirname(path)),
    remove: () => rm(folder, { recursive: true }),
  }
}

export async function openSqliteBackend(path: string, { ttlMs = null, now = Date.now }: BackendOptions = {}) {
  const { connection, release } = await openConnection({ path })
  return new SqliteBackend({ connection, release, ttlMs, now, busyTimeoutMs: 5000 })
}

/** As restoring a backup into the file would: through a connection of its own, in one transaction. */
async function remember(path: string): Promise<() => Promise<void>> {
  const rows = await withDatabase(path, database => TABLES.map(table => readTable(database, table)))
  return () =>
    withDatabase(path, database => {
      database.exec('BEGIN IMMEDIATE')
      for (const [i, table] of TABLES.entries()) writeTable(database, table, rows[i] ?? [])
      database.exec('COMMIT')
    })
}

function readTable(database: SqliteDatabase, table: string): Record<string, SqliteValue>[] {
  return database.prepare(`SELECT * FROM ${table}`).all() as Record<string, SqliteValue>[]
}

function writeTable(database: SqliteDatabase, table: string, rows: Record<string, SqliteValue>[]): void {
  database.exec(`DELETE FROM ${table}`)
  for (const row of rows) {
    const values = Object.values(row).map(value =>
      value instanceof ArrayBuffer ? new Uint8Array(value) : value,
    )
    database.prepare(`INSERT INTO ${table} VALUES (${values.map(() => '?').join()})`).run(...values)
  }
}

export async function withDatabase<T>(path: string, action: (database: SqliteDatabase) => T): Promise<T> {
  const database = await openDatabase(path)
  try {
    database.exec('PRAGMA busy_timeout = 5000')
    return action(database)
  } finally {
    database.close()
  }
}

async function dump(folder: string): Promise<Buffer> {
  const files = await readdir(folder)
  return Buffer.concat(await Promise.all(files.map(file => readFile(join(folder, file)))))
}
