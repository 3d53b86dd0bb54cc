import { TextDecoder } from 'node:util'
import type { SqliteDatabase, SqliteStatement, SqliteValue } from './driver.js'

/** A value of a row before it is checked. */
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

/** Longer texts are returned as bytes. */
const MAX_TEXT_BYTES = 128 * 1024

/**
 * A statement whose rows do not depend on settings of the database: members by name, integers as numbers. An integer
 * that no number can hold stays a bigint, for the check of the row; some drivers would throw, and others round. No
 * driver reads a text, because libsql ends the process for a text that is not in its encoding. The columns `texts` are
 * read as bytes and decoded here; bytes that are no text stay bytes. A text in any other column is damage, and becomes
 * `NO_TEXT`.
 */
export function prepareQuery<Column extends string>(
  database: SqliteDatabase,
  columns: readonly Column[],
  rest: string,
  texts: readonly Column[] = [],
): Query<Column> {
  const selected = columns.map(column => (texts.includes(column) ? asBytes(column) : asNoText(column)))
  const statement = database.prepare(`SELECT ${selected.join(', ')} ${rest}`) as SqliteStatement & Settings
  const decoder = texts.length > 0 ? makeDecoder(database) : undefined
  statement.setReadBigInts?.(true)
  statement.safeIntegers?.(true)
  const toRow = (found: unknown): Record<Column, Cell> => {
    const row = {} as Record<Column, Cell>
    for (const [i, column] of columns.entries()) {
      // A database may be set to return lists.
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

/** A value that the library never writes. */
const NO_TEXT = 0.5

function asNoText(column: string): string {
  return `CASE WHEN typeof(${column}) = 'text' THEN ${NO_TEXT} ELSE ${column} END AS ${column}`
}

/** Other types become 0, and an empty text stays as it is: libsql takes empty bytes for `NULL`. */
function asBytes(column: string): string {
  const bytes = `substr(CAST(${column} AS BLOB), 1, ${MAX_TEXT_BYTES + 1})`
  return `CASE WHEN ${column} IS NULL THEN NULL WHEN ${column} = '' THEN ''
    WHEN typeof(${column}) = 'text' THEN ${bytes} ELSE 0 END AS ${column}`
}

/** Decodes the encoding of the database's texts; SQLite and the WHATWG use the same names. */
function makeDecoder(database: SqliteDatabase): TextDecoder {
  // Any other encoding than these two is UTF-8.
  const isUtf16 = `encoding = 'UTF-16le' AS is_le, encoding = 'UTF-16be' AS is_be FROM pragma_encoding`
  const found = database.prepare(`SELECT ${isUtf16}`).get() as unknown[] | Record<'is_le' | 'is_be', unknown>
  const [isLe, isBe] = Array.isArray(found) ? found : [found.is_le, found.is_be]
  const encoding = Number(isLe) === 1 ? 'utf-16le' : Number(isBe) === 1 ? 'utf-16be' : 'utf-8'
  return new TextDecoder(encoding, { fatal: true, ignoreBOM: true })
}

function toText(bytes: Uint8Array | ArrayBuffer, decoder: TextDecoder | undefined): Cell {
  if (bytes.byteLength > MAX_TEXT_BYTES) return bytes
  try {
    return decoder?.decode(bytes) ?? bytes
  } catch {
    return bytes
  }
}
