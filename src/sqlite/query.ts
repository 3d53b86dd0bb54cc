import { TextDecoder } from 'node:util'
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

/** Of a text that is read: what is longer comes as bytes. */
const MAX_TEXT_BYTES = 128 * 1024

/**
 * A statement whose rows are the same whatever its database is set to: members by name, integers as numbers. An
 * integer that no number holds stays a bigint, for the one who checks the row: by themselves some drivers throw there,
 * and others round. So do the columns `texts` stay bytes where they are no text: libsql ends the process for one that is
 * not in its encoding.
 */
export function prepareQuery<Column extends string>(
  database: SqliteDatabase,
  columns: readonly Column[],
  rest: string,
  texts: readonly Column[] = [],
): Query<Column> {
  const selected = columns.map(column => (texts.includes(column) ? asBytes(column) : column))
  const statement = database.prepare(`SELECT ${selected.join(', ')} ${rest}`) as SqliteStatement & Settings
  const decoder = texts.length > 0 ? makeDecoder(database) : undefined
  statement.setReadBigInts?.(true)
  statement.safeIntegers?.(true)
  const toRow = (found: unknown): Record<Column, Cell> => {
    const row = {} as Record<Column, Cell>
    for (const [i, column] of columns.entries()) {
      // A database may be set to give lists.
      const cell = Array.isArray(found) ? found[i] : (found as Record<Column, Cell>)[column]
      row[column] = typeof cell === 'bigint' ? toNumber(cell) : cell
    }
    for (const column of texts) {
      const cell = row[column]
      if (cell instanceof Uint8Array || cell instanceof ArrayBuffer) row[column] = toText(cell, decoder)
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

/** What is no text comes as 0, and an empty one as it is: libsql takes bytes of no length for `NULL`. */
function asBytes(column: string): string {
  const bytes = `substr(CAST(${column} AS BLOB), 1, ${MAX_TEXT_BYTES + 1})`
  return `CASE WHEN ${column} IS NULL THEN NULL WHEN ${column} = '' THEN ''
    WHEN typeof(${column}) = 'text' THEN ${bytes} ELSE 0 END AS ${column}`
}

/** Of the encoding that the database has its texts in; SQLite names them as the WHATWG does. */
function makeDecoder(database: SqliteDatabase): TextDecoder {
  const row = prepareQuery(database, ['encoding'], 'FROM pragma_encoding').get()
  return new TextDecoder(String(row?.encoding), { fatal: true, ignoreBOM: true })
}

function toText(bytes: Uint8Array | ArrayBuffer, decoder: TextDecoder | undefined): Cell {
  if (bytes.byteLength > MAX_TEXT_BYTES) return bytes
  try {
    return decoder?.decode(bytes) ?? bytes
  } catch {
    return bytes
  }
}
