import { MissingDependencyError } from '../core/errors.js'

/** What is called of a database: better-sqlite3, libsql and node:sqlite all have it. */
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
  DatabaseSync: new (path: string) => SqliteDatabase
}

/** `node:sqlite` where the runtime has it without a flag (Node 22.13 on), else libsql. */
export async function openDatabase(path: string): Promise<SqliteDatabase> {
  const builtin = process.getBuiltinModule('node:sqlite') as NodeSqlite | undefined
  if (builtin !== undefined) return new builtin.DatabaseSync(path)
  const Database = await loadLibsql()
  return new Database(path)
}

async function loadLibsql(): Promise<new (path: string) => SqliteDatabase> {
  try {
    const { default: Database } = await import('libsql')
    return Database as unknown as new (
      path: string,
    ) => SqliteDatabase
  } catch (cause) {
    throw new MissingDependencyError(
      'libsql',
      `SQLite on Node ${process.versions.node}, which has no node:sqlite,`,
      cause,
    )
  }
}
