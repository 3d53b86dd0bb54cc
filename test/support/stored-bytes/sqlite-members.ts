import type { SqliteValue } from '../../../src/sqlite/driver.js'
import { withDatabase } from '../sqlite-database.js'
import type { StoredMember, StoredMembers } from './stored-member.js'

const SESSION = [
  'id',
  'version',
  'fence',
  'updated_at',
  'expires_at',
  'vacant_since',
  'operation',
  'lease_until',
  'incarnation',
  'forks',
  'created_at',
  'claimed_at',
  'owner',
]
const FIELD = ['session_id', 'type', 'id', 'version', 'bytes']
const ENDS = ['expires_at', 'vacant_since']

/** Every column of the rows of a session, and the rows themselves, by SQL of another connection. */
export function sqliteMembers(path: string): StoredMembers {
  const rows = (table: string, where: string, sessionId: string) =>
    withDatabase(path, database =>
      database.prepare(`SELECT * FROM ${table} WHERE ${where} = ?`).all(sessionId),
    )
  const run = (sql: string, ...values: SqliteValue[]) =>
    withDatabase(path, database => database.prepare(sql).run(...values))
  const toMembers = (
    table: string,
    columns: readonly string[],
    row: Record<string, SqliteValue>,
  ): StoredMember[] => {
    const isCreds = table === 'field' && row.type === 'creds'
    const members = columns.map((column): StoredMember => {
      const holds =
        column === 'bytes' ? (isCreds ? 'creds' : 'value') : ENDS.includes(column) ? 'life' : 'state'
      return {
        name: `${table}.${column}${table === 'field' ? ` of ${row.type}` : ''}`,
        holds,
        value: toValue(row[column]),
        put(damaged) {
          const [sql, ...cell] = toCell(damaged)
          return run(`UPDATE ${table} SET ${column} = ${sql} WHERE key = ?`, ...cell, row.key as number)
        },
      }
    })
    const remove = () => run(`DELETE FROM ${table} WHERE key = ?`, row.key as number)
    return [...members, { name: `the row of ${table}`, holds: 'state', value: undefined, put: remove }]
  }
  return {
    async of(sessionId) {
      const session = await rows('session', 'id', sessionId)
      const fields = await rows('field', 'session_id', sessionId)
      return [
        ...session.flatMap(row => toMembers('session', SESSION, row as Record<string, SqliteValue>)),
        ...fields.flatMap(row => toMembers('field', FIELD, row as Record<string, SqliteValue>)),
      ]
    },
    clear: async () => {
      await run("DELETE FROM session WHERE id NOT LIKE 'neighbour%'")
      await run("DELETE FROM field WHERE session_id NOT LIKE 'neighbour%'")
    },
  }
}

function toValue(cell: unknown): unknown {
  if (cell instanceof ArrayBuffer) return Buffer.from(cell)
  return cell instanceof Uint8Array ? Buffer.from(cell) : (cell ?? undefined)
}

/** The SQL of what stands there, and its parameters. A table that is STRICT refuses what does not fit its column. */
function toCell(damaged: unknown): [sql: string, ...cell: SqliteValue[]] {
  if (damaged === undefined || damaged === null) return ['NULL']
  if (damaged instanceof Date) return [String(damaged.getTime())]
  if (typeof damaged === 'number')
    return [Number.isSafeInteger(damaged) ? String(damaged) : toLiteral(damaged)]
  return ['?', typeof damaged === 'string' || Buffer.isBuffer(damaged) ? damaged : JSON.stringify(damaged)]
}

function toLiteral(damaged: number): string {
  if (!Number.isFinite(damaged)) return '9e999'
  return Number.isInteger(damaged) ? String(BigInt(damaged)) : String(damaged)
}
