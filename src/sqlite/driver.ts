import { MissingDependencyError } from '../core/errors.js'

/** What the library calls of a database; better-sqlite3, libsql and node:sqlite have it. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): unknown
}

export interface SqliteStatement {
  run(...parameters: SqliteValue[]): unknown
  get(...parameters: SqliteValue[]): unknown
  all(...parameters: SqliteValue[]): unknown[]
}

export type SqliteValue = string | number | Uint8Array | null

interface NodeSqlite {
  DatabaseSync: Driver
}

export type Driver = new (path: string) => SqliteDatabase

/** `node:sqlite` if the runtime has it without a flag (from Node 22.13), else libsql. */
export async function loadDriver(): Promise<Driver> {
  const builtin = process.getBuiltinModule('node:sqlite') as NodeSqlite | undefined
  return builtin?.DatabaseSync ?? (await loadLibsql())
}

export async function openDatabase(path: string): Promise<SqliteDatabase> {
  return new (await loadDriver())(path)
}

async function loadLibsql(): Promise<Driver> {
  try {
    const { default: Database } = await import('libsql')
    return Database as unknown as Driver
  } catch (cause) {
    throw new MissingDependencyError(
      'libsql',
      `SQLite on Node ${process.versions.node}, which has no node:sqlite,`,
      cause,
    )
  }
}
