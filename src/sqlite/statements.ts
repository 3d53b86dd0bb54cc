import type { Field } from '../core/auth-store.js'
import { CREDS_FIELD, MAX_VALUE_BYTES, PEEKED_BYTES, type StoredField } from '../core/backend.js'
import { MAX_STORED_NAME_BYTES } from '../core/names.js'
import type { SqliteDatabase, SqliteValue } from './driver.js'
import { type Cell, prepareQuery } from './query.js'
import {
  checkCounts,
  type Floor,
  MAX_FLOOR,
  type SessionNotes,
  type SessionRow,
  STATE_COLUMNS,
  type StateColumn,
  toBytes,
  toField,
  toFloor,
  toNotes,
  toSessionRow,
  toStoredField,
  toVersion,
} from './rows.js'

/** Names of copies in the trash begin with DEL: see core/names.ts. */
const IS_COPY = 'unicode(session.id) = 127'
/** Tombstones old enough to remove, and undamaged: a damaged version must not get into `floor`. */
const IS_SWEPT = `vacant_since BETWEEN 0 AND ? AND version BETWEEN 0 AND ${MAX_FLOOR} AND fence BETWEEN 0 AND ${MAX_FLOOR}`

/**
 * Does not read gigabytes of a damaged row: bytes longer than any that the library writes become `NULL`, which is
 * refused.
 */
const MAX_STORED_BYTES = MAX_VALUE_BYTES + 1024
const FIELD = `(SELECT session_id, type, id, iif(length(bytes) <= ${MAX_STORED_BYTES}, bytes, NULL) AS bytes FROM field)`
const TEXT_COLUMNS: readonly StateColumn[] = ['operation', 'incarnation', 'forks']

export type Statements = ReturnType<typeof prepareStatements>

/** All statements, prepared once. No RETURNING: libsql 0.5 aborts the process on it. */
export function prepareStatements(database: SqliteDatabase) {
  const findSession = prepareQuery(database, STATE_COLUMNS, 'FROM session WHERE id = ?', TEXT_COLUMNS)
  const putSession = database.prepare(
    `INSERT INTO session (id, ${STATE_COLUMNS.join(', ')}) VALUES (?, ${STATE_COLUMNS.map(() => '?').join(', ')})
     ON CONFLICT (id) DO UPDATE SET ${STATE_COLUMNS.map(column => `${column} = excluded.${column}`).join(', ')}`,
  )
  const setLease = database.prepare('UPDATE session SET lease_until = ? WHERE id = ?')
  const setExpiry = database.prepare('UPDATE session SET expires_at = ? WHERE id = ?')
  const setBeginning = database.prepare('UPDATE session SET created_at = ? WHERE id = ?')
  const setClaim = database.prepare('UPDATE session SET claimed_at = ?, owner = ? WHERE id = ?')
  const forget = database.prepare(
    'UPDATE session SET created_at = NULL, claimed_at = NULL, owner = NULL WHERE id = ?',
  )
  const findNotes = prepareQuery(
    database,
    ['created_at', 'claimed_at', 'owner'],
    'FROM session WHERE id = ?',
    ['owner'],
  )
  const listSessions = prepareQuery(
    database,
    ['id'],
    `FROM session WHERE session.id > CAST(? AS TEXT) AND typeof(session.id) = 'text'
     AND length(session.id) <= ${MAX_STORED_NAME_BYTES} AND vacant_since IS NULL AND (expires_at IS NULL OR expires_at > ?)
     ORDER BY session.id LIMIT ?`,
    ['id'],
  )
  const listExpiredCopies = prepareQuery(
    database,
    ['id'],
    `FROM session WHERE expires_at <= ? AND vacant_since IS NULL AND ${IS_COPY}`,
    ['id'],
  )
  const listExpired = prepareQuery(
    database,
    ['id'],
    'FROM session WHERE expires_at <= ? AND vacant_since IS NULL',
    ['id'],
  )

  const hasFields = prepareQuery(database, ['type'], 'FROM field WHERE session_id = ? LIMIT 1')
  const fieldVersion = prepareQuery(
    database,
    ['version'],
    'FROM field WHERE session_id = ? AND type = ? AND id = ?',
  )
  const getField = prepareQuery(
    database,
    ['bytes'],
    `FROM ${FIELD} WHERE session_id = ? AND type = ? AND id = ?`,
  )
  const peekCreds = prepareQuery(
    database,
    ['bytes'],
    `FROM (SELECT session_id, substr(bytes, 1, ${PEEKED_BYTES}) AS bytes FROM field
     WHERE type = '${CREDS_FIELD.type}' AND id = '') WHERE session_id = ?`,
  )
  const allFields = prepareQuery(database, ['type', 'id', 'bytes'], `FROM ${FIELD} WHERE session_id = ?`, [
    'type',
    'id',
  ])
  const putField = database.prepare(
    `INSERT INTO field (session_id, type, id, version, bytes) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (session_id, type, id) DO UPDATE SET version = excluded.version, bytes = excluded.bytes`,
  )
  const deleteField = database.prepare('DELETE FROM field WHERE session_id = ? AND type = ? AND id = ?')
  const deleteFields = database.prepare('DELETE FROM field WHERE session_id = ?')
  const names = ['type', 'id'] as const
  const listFields = prepareQuery(
    database,
    names,
    'FROM field WHERE session_id = ? ORDER BY field.type, field.id',
    names,
  )
  const listFieldsOfType = prepareQuery(
    database,
    names,
    'FROM field WHERE session_id = ? AND type = ? ORDER BY field.id',
    names,
  )

  const floor = prepareQuery(database, ['version', 'fence'], 'FROM floor')
  const raiseFloor = database.prepare(
    `UPDATE floor SET
       version = max(version, (SELECT coalesce(max(version), 0) FROM session WHERE ${IS_SWEPT})),
       fence = max(fence, (SELECT coalesce(max(fence), 0) FROM session WHERE ${IS_SWEPT}))`,
  )
  const deleteVacant = database.prepare(`DELETE FROM session WHERE ${IS_SWEPT}`)

  return {
    findSession(sessionId: string): SessionRow | undefined {
      const row = findSession.get(sessionId)
      return row && toSessionRow(row, sessionId)
    },
    putSession(row: SessionRow): void {
      checkCounts(row)
      putSession.run(row.id, ...STATE_COLUMNS.map(column => row[column]))
    },
    setLease: (sessionId: string, leaseUntil: number | null) => void setLease.run(leaseUntil, sessionId),
    setExpiry: (sessionId: string, expiresAt: number | null) => void setExpiry.run(expiresAt, sessionId),
    setBeginning: (sessionId: string, atMs: number) => void setBeginning.run(atMs, sessionId),
    setClaim: (sessionId: string, claimedAtMs: number, owner: string | undefined) =>
      void setClaim.run(claimedAtMs, owner ?? null, sessionId),
    /** Forgets the beginning and the claim of a session that has ended. */
    forgetNotes: (sessionId: string) => void forget.run(sessionId),
    findNotes: (sessionId: string): SessionNotes => toNotes(findNotes.get(sessionId)),
    /** Skips names that are not text: no caller could ask for such a session. */
    listSessions(after: string, nowMs: number, limit: number): string[] {
      const ids: string[] = []
      for (let last: SqliteValue = after; ; ) {
        const asked = limit - ids.length
        const rows = listSessions.all(last, nowMs, asked)
        ids.push(...rows.map(({ id }) => id).filter(isString))
        if (rows.length < asked || ids.length === limit) return ids
        const cell = rows.at(-1)?.id ?? null
        last = isString(cell) ? cell : toBytes(cell, '')
      }
    },
    listExpired: (untilMs: number) => toNames(listExpired.all(untilMs)),
    listExpiredCopies: (untilMs: number) => toNames(listExpiredCopies.all(untilMs)),

    hasFields: (sessionId: string) => hasFields.get(sessionId) !== undefined,
    fieldVersion(sessionId: string, { type, id }: Field): number | undefined {
      const row = fieldVersion.get(sessionId, type, id)
      return row && toVersion(row.version, sessionId)
    },
    getField(sessionId: string, { type, id }: Field): Uint8Array | undefined {
      const row = getField.get(sessionId, type, id)
      return row && toBytes(row.bytes, sessionId)
    },
    /** The first bytes of the creds. */
    peekCreds(sessionId: string): Uint8Array | undefined {
      const row = peekCreds.get(sessionId)
      return row && toBytes(row.bytes, sessionId)
    },
    allFields: (sessionId: string): StoredField[] =>
      allFields.all(sessionId).map(row => toStoredField(row, sessionId)),
    putField: (sessionId: string, { type, id }: Field, version: number, bytes: Uint8Array) =>
      void putField.run(sessionId, type, id, version, bytes),
    deleteField: (sessionId: string, { type, id }: Field) => void deleteField.run(sessionId, type, id),
    deleteFields: (sessionId: string) => void deleteFields.run(sessionId),
    listFields(sessionId: string, type: string | undefined): Field[] {
      const rows = type === undefined ? listFields.all(sessionId) : listFieldsOfType.all(sessionId, type)
      return rows.map(row => toField(row, sessionId))
    },

    floor: (): Floor => toFloor(floor.get()),
    raiseFloor: (vacantUntilMs: number) => void raiseFloor.run(vacantUntilMs, vacantUntilMs),
    deleteVacant: (vacantUntilMs: number) => void deleteVacant.run(vacantUntilMs),
  }
}

const toNames = (rows: readonly { id: Cell }[]) => rows.map(({ id }) => id).filter(isString)
const isString = (cell: Cell): cell is string => typeof cell === 'string'
