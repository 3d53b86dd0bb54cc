import type { SqliteDatabase, SqliteStatement, SqliteValue } from './driver.js'

/** What a row is made of, before it is checked. */
export type Cell = string | number | bigint | Uint8Array | ArrayBuffer | null

export interface Query<Column extends string> {
  get(...parameters: SqliteValue[]): Record<Column, Cell> | undefined
  all(...parameters: SqliteValue[]): Record<Column, Cell>[]
}

/** Settings of a statement: `node:sqlite`'s, then those of better-sqlite3 and libsql. */
interface Settings {
  setReadBigInts?(isOn: boolean): void
  safeIntegers?(isOn: boolean): void
}

/**
 * A statement whose rows are the same whatever its database is set to: members by name, integers as numbers. An
 * integer that no number holds stays a bigint, for the one who checks the row: by themselves some drivers throw there,
 * and others round.
 */
export function prepareQuery<Column extends string>(
  database: SqliteDatabase,
  columns: readonly Column[],
  rest: string,
): Query<Column> {
  const statement = database.prepare(`SELECT ${columns.join(', ')} ${rest}`) as SqliteStatement & Settings
  statement.setReadBigInts?.(true)
  statement.safeIntegers?.(true)
  const toRow = (found: unknown): Record<Column, Cell> => {
    const row = {} as Record<Column, Cell>
    for (const [i, column] of columns.entries()) {
      // A database may be set to give lists.
      const cell = Array.isArray(found) ? found[i] : (found as Record<Column, Cell>)[column]
      row[column] = typeof cell === 'bigint' ? toNumber(cell) : cell
    }
    return row
  }
  return {
    get(...parameters) {
      const found = statement.get(...parameters)
      return found === undefined ? undefined : toRow(found)
    },
    all: (...parameters) => statement.all(...parameters).map(toRow),
  }
}

function toNumber(integer: bigint): number | bigint {
  const number = Number(integer)
  return Number.isSafeInteger(number) ? number : integer
}
