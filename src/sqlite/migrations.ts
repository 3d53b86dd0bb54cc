import { InvalidOptionError, UnsupportedFormatError } from '../core/errors.js'
import type { SqliteDatabase } from './driver.js'
import { assertUnhindered, OUR_NAMES } from './hindrances.js'
import { prepareQuery } from './query.js'
import { isOfSql } from './sqlite-errors.js'

/**
 * Append only: a released migration never changes. The file's `user_version` is the number of migrations it has seen.
 * All instants are milliseconds since the epoch.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE session (
    key          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    version      INTEGER NOT NULL,
    fence        INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    expires_at   INTEGER,            -- NULL: never
    vacant_since INTEGER,            -- NULL: the session exists; else claimed and not yet written, or deleted
    operation    TEXT                -- id of the last commit
  ) STRICT;
  CREATE INDEX session_by_expiry ON session (expires_at) WHERE expires_at IS NOT NULL;
  CREATE INDEX session_by_vacancy ON session (vacant_since) WHERE vacant_since IS NOT NULL;

  CREATE TABLE field (
    key     INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    type    TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,        -- of the commit that wrote it
    bytes   BLOB NOT NULL,           -- envelope
    UNIQUE (session, type, id)
  ) STRICT;

  -- Highest version and fence of the sessions whose rows are gone: what comes after them is above both.
  CREATE TABLE floor (version INTEGER NOT NULL, fence INTEGER NOT NULL) STRICT;
  INSERT INTO floor VALUES (0, 0);
  `,
  // When the exclusive lease ends; NULL without one. SQLite keeps the text, so it must not have a comment.
  'ALTER TABLE session ADD COLUMN lease_until INTEGER',
  // The history of the session: see core/store/histories.ts.
  'ALTER TABLE session ADD COLUMN incarnation TEXT; ALTER TABLE session ADD COLUMN forks TEXT',
  // Fields by the name of their session: SQLite reuses the numbers of rows, so that fields could become another
  // session's. Fields that have lost their row before belong to no session, and get a name that none can have.
  `
  CREATE TABLE field_by_name (
    key        INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    type       TEXT NOT NULL,
    id         TEXT NOT NULL,
    version    INTEGER NOT NULL,
    bytes      BLOB NOT NULL,
    UNIQUE (session_id, type, id)
  ) STRICT;
  INSERT INTO field_by_name (session_id, type, id, version, bytes)
    SELECT coalesce(session.id, char(0) || field.session), field.type, field.id, field.version, field.bytes
    FROM field LEFT JOIN session ON session.key = field.session;
  DROP TABLE field;
  ALTER TABLE field_by_name RENAME TO field;
  `,
  // For the catalogue: when the session began, and who has claimed it last.
  `
  ALTER TABLE session ADD COLUMN created_at INTEGER;
  ALTER TABLE session ADD COLUMN claimed_at INTEGER;
  ALTER TABLE session ADD COLUMN owner TEXT;
  `,
]

/** Migrates the file, all or nothing; safe if several processes do so at once. */
export function migrate(database: SqliteDatabase): void {
  const found = readVersion(database)
  assertUnhindered(database)
  if (found === MIGRATIONS.length) return
  database.exec('BEGIN IMMEDIATE')
  try {
    const version = readVersion(database) // another process may have migrated it meanwhile
    if (version > MIGRATIONS.length) {
      throw new UnsupportedFormatError(
        `The SQLite file has schema ${version}; this version of the library knows up to ${MIGRATIONS.length}.`,
      )
    }
    for (const sql of MIGRATIONS.slice(version)) database.exec(sql)
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw isOfSql(error) ? toForeign(error) : error // the tables are not those of the version
  }
}

/** The columns that every schema of ours has. */
const OURS = [
  'SELECT id, version, fence, updated_at, expires_at, vacant_since, operation FROM session',
  'SELECT type, id, version, bytes FROM field',
  'SELECT version, fence FROM floor',
]

/**
 * The number of migrations that the file has seen; 0: a new file. Throws `InvalidOptionError` if the version or the
 * tables are another application's.
 */
export function readVersion(database: SqliteDatabase): number {
  // In one statement: between two, another process may set up the file.
  const tables = `(SELECT count(*) FROM sqlite_schema WHERE lower(name) IN ${OUR_NAMES}) AS tables`
  const rest = `FROM (SELECT user_version, ${tables} FROM pragma_user_version)`
  const found = prepareQuery(database, ['user_version', 'tables'], rest).get()
  const version = Number(found?.user_version)
  const hasTables = Number(found?.tables) > 0
  const isOurs = version > 0 && hasTables && OURS.every(sql => canPrepare(database, sql))
  if (version === 0 ? hasTables : !isOurs) throw toForeign()
  return version
}

function toForeign(cause?: unknown): InvalidOptionError {
  const reason =
    'The SQLite database belongs to another application: it has a "user_version", or a table "session", "field" or ' +
    '"floor", that is not ours. Give the store a file of its own.'
  return new InvalidOptionError(reason, { cause })
}

function canPrepare(database: SqliteDatabase, sql: string): boolean {
  try {
    database.prepare(sql)
    return true
  } catch {
    return false // a table or a column is missing
  }
}
