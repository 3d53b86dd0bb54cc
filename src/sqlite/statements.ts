import type { Field } from '../core/store.js'
import type { SqliteDatabase } from './driver.js'

export interface SessionRow {
  key: number
  version: number
  fence: number
  updated_at: number
  expires_at: number | null
  vacant_since: number | null
  /** The last ones that were applied: see core/operation-ids. */
  operation: string | null
  lease_until: number | null
  /** These two as core/histories.ts has them; `NULL` in sessions of earlier releases. */
  incarnation: string | null
  forks: string | null
}

export interface Floor {
  version: number
  fence: number
}

interface StoredFieldRow {
  type: string
  id: string
  bytes: Uint8Array | ArrayBuffer
}

export type Statements = ReturnType<typeof prepareStatements>

/** Every statement there is, prepared once. No RETURNING: libsql 0.5 aborts the process on it. */
export function prepareStatements(database: SqliteDatabase) {
  const findSession = database.prepare(
    `SELECT key, version, fence, updated_at, expires_at, vacant_since, operation, lease_until, incarnation, forks
     FROM session WHERE id = ?`,
  )
  const insertSession = database.prepare(
    `INSERT INTO session
       (id, version, fence, updated_at, expires_at, vacant_since, operation, lease_until, incarnation, forks)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const updateSession = database.prepare(
    `UPDATE session SET version = ?, fence = ?, updated_at = ?, expires_at = ?, vacant_since = ?, operation = ?,
       lease_until = ?, incarnation = ?, forks = ?
     WHERE key = ?`,
  )
  const setLease = database.prepare('UPDATE session SET lease_until = ? WHERE key = ?')
  const setExpiry = database.prepare('UPDATE session SET expires_at = ? WHERE key = ?')
  const listSessions = database.prepare(
    `SELECT id FROM session
     WHERE id > ? AND vacant_since IS NULL AND (expires_at IS NULL OR expires_at > ?) ORDER BY id LIMIT ?`,
  )
  const listExpired = database.prepare('SELECT * FROM session WHERE expires_at <= ? AND vacant_since IS NULL')

  const fieldVersion = database.prepare('SELECT version FROM field WHERE session = ? AND type = ? AND id = ?')
  const getField = database.prepare('SELECT bytes FROM field WHERE session = ? AND type = ? AND id = ?')
  const allFields = database.prepare('SELECT type, id, bytes FROM field WHERE session = ?')
  const putField = database.prepare(
    `INSERT INTO field (session, type, id, version, bytes) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (session, type, id) DO UPDATE SET version = excluded.version, bytes = excluded.bytes`,
  )
  const deleteField = database.prepare('DELETE FROM field WHERE session = ? AND type = ? AND id = ?')
  const deleteFields = database.prepare('DELETE FROM field WHERE session = ?')
  const listFields = database.prepare('SELECT type, id FROM field WHERE session = ? ORDER BY type, id')
  const listFieldsOfType = database.prepare(
    'SELECT type, id FROM field WHERE session = ? AND type = ? ORDER BY id',
  )

  const floor = database.prepare('SELECT version, fence FROM floor')
  const raiseFloor = database.prepare(
    `UPDATE floor SET
       version = max(version, (SELECT coalesce(max(version), 0) FROM session WHERE vacant_since <= ?)),
       fence = max(fence, (SELECT coalesce(max(fence), 0) FROM session WHERE vacant_since <= ?))`,
  )
  const deleteVacant = database.prepare('DELETE FROM session WHERE vacant_since <= ?')
  const ping = database.prepare('SELECT 1 FROM floor')

  return {
    findSession: (id: string) => findSession.get(id) as SessionRow | undefined,
    insertSession(id: string, row: Omit<SessionRow, 'key'>): number {
      insertSession.run(id, ...valuesOf(row))
      return (findSession.get(id) as SessionRow).key
    },
    updateSession(row: SessionRow): void {
      updateSession.run(...valuesOf(row), row.key)
    },
    setLease: (key: number, leaseUntil: number | null) => void setLease.run(leaseUntil, key),
    setExpiry: (key: number, expiresAt: number | null) => void setExpiry.run(expiresAt, key),
    listSessions: (after: string, nowMs: number, limit: number) =>
      listSessions.all(after, nowMs, limit) as { id: string }[],
    listExpired: (nowMs: number) => listExpired.all(nowMs) as SessionRow[],

    fieldVersion: (session: number, { type, id }: Field) =>
      (fieldVersion.get(session, type, id) as { version: number } | undefined)?.version,
    getField: (session: number, { type, id }: Field) =>
      (getField.get(session, type, id) as { bytes: Uint8Array } | undefined)?.bytes,
    allFields: (session: number) =>
      (allFields.all(session) as StoredFieldRow[]).map(({ type, id, bytes }) => ({
        type,
        id,
        bytes: toBytes(bytes),
      })),
    putField: (session: number, { type, id }: Field, version: number, bytes: Uint8Array) =>
      void putField.run(session, type, id, version, bytes),
    deleteField: (session: number, { type, id }: Field) => void deleteField.run(session, type, id),
    deleteFields: (session: number) => void deleteFields.run(session),
    listFields: (session: number, type: string | undefined) =>
      (type === undefined ? listFields.all(session) : listFieldsOfType.all(session, type)) as Field[],

    floor: () => floor.get() as Floor,
    raiseFloor: (vacantUntilMs: number) => void raiseFloor.run(vacantUntilMs, vacantUntilMs),
    deleteVacant: (vacantUntilMs: number) => void deleteVacant.run(vacantUntilMs),
    ping: () => void ping.get(),
  }
}

/** In the order of the columns, without the key. */
function valuesOf(row: Omit<SessionRow, 'key'>): (string | number | null)[] {
  const { version, fence, updated_at, expires_at, vacant_since, operation, lease_until, incarnation, forks } =
    row
  return [version, fence, updated_at, expires_at, vacant_since, operation, lease_until, incarnation, forks]
}

/** libsql 0.5 gives Buffers from `get` and ArrayBuffers from `all`. */
function toBytes(bytes: Uint8Array | ArrayBuffer): Uint8Array {
  return bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes
}
