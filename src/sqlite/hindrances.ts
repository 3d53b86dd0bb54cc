import { InvalidOptionError } from '../core/errors.js'
import type { SqliteDatabase } from './driver.js'
import { prepareQuery } from './query.js'

const TABLES = ['session', 'field', 'floor']
/** For `lower(name) IN`. */
export const OUR_NAMES = `(${TABLES.map(table => `'${table}'`).join(', ')})`

/** Everything that can keep a statement from its row, or keep a row from being stored, without an error. */
const HINDRANCES = [
  `SELECT 'a trigger' AS kind, name FROM main.sqlite_master WHERE type = 'trigger' AND lower(tbl_name) IN ${OUR_NAMES}`,
  `SELECT 'a TEMP trigger', name FROM sqlite_temp_master WHERE type = 'trigger' AND lower(tbl_name) IN ${OUR_NAMES}`,
  // A name without a schema means the TEMP table first.
  `SELECT 'a TEMP ' || type, name FROM sqlite_temp_master WHERE type IN ('table', 'view') AND lower(name) IN ${OUR_NAMES}`,
  // 'c': made by CREATE INDEX. None of ours is unique.
  ...TABLES.map(
    table =>
      `SELECT 'a unique index', name FROM pragma_index_list('${table}', 'main') WHERE "unique" AND origin = 'c'`,
  ),
]

/** Throws `InvalidOptionError` if a foreign trigger, index or table stands between the store and its rows. */
export function assertUnhindered(database: SqliteDatabase): void {
  const rest = `FROM (${HINDRANCES.join(' UNION ALL ')}) LIMIT 1`
  const found = prepareQuery(database, ['kind', 'name'], rest, ['kind', 'name']).get()
  if (found === undefined) return
  const name = typeof found.name === 'string' ? `"${found.name}"` : 'without a name'
  throw new InvalidOptionError(
    `The SQLite database has ${found.kind} ${name} on the tables of this library, which may keep writes from them. ` +
      'Drop it, or give the store a file of its own.',
  )
}
