import { join } from 'node:path'
import { openDatabase, type SqliteDatabase } from '../../src/sqlite/driver.js'
import type { Bot, Contender } from './bot.js'
import { type Bytes, Envelopes, parseAll } from './envelopes.js'
import type { Place } from './place.js'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS head (id TEXT PRIMARY KEY, version INTEGER NOT NULL, fence INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS field (session TEXT, type TEXT, id TEXT, bytes BLOB, PRIMARY KEY (session, type, id)) STRICT;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = full;`

/** Statements that are prepared once, on the driver that this library uses, with the same settings. */
export async function createRawSqlite({ folder }: Place, given?: Bytes): Promise<Contender> {
  const bytes: Bytes = given ?? (await Envelopes.create())
  const database = await openDatabase(join(folder, `${bytes.name}.db`))
  database.exec(SCHEMA)
  const open = database.prepare(
    'INSERT INTO head VALUES (?, 0, 1) ON CONFLICT DO UPDATE SET fence = fence + 1',
  )
  const bump = database.prepare('UPDATE head SET version = version + 1 WHERE id = ?')
  const read = database.prepare('SELECT bytes FROM field WHERE session = ? AND type = ? AND id = ?')
  const put = database.prepare(
    `INSERT INTO field VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET bytes = excluded.bytes`,
  )
  const remove = database.prepare('DELETE FROM field WHERE session = ? AND type = ? AND id = ?')
  return {
    name: bytes.name,
    async open(sessionId): Promise<Bot> {
      within(database, () => {
        open.run(sessionId)
        read.get(sessionId, 'creds', '')
      })
      return {
        async get(ids) {
          const found = ids.map(id => read.get(sessionId, 'session', id) as { bytes: Uint8Array } | undefined)
          return parseAll(
            bytes,
            found.map(row => row?.bytes),
          )
        },
        set: async keys =>
          within(database, () => {
            bump.run(sessionId)
            for (const [type, values] of Object.entries(keys)) {
              for (const [id, value] of Object.entries(values)) {
                if (value === null) remove.run(sessionId, type, id)
                else put.run(sessionId, type, id, bytes.of(value))
              }
            }
          }),
        saveCreds: async () =>
          within(database, () => {
            bump.run(sessionId)
            put.run(sessionId, 'creds', '', bytes.creds)
          }),
        close: async () => {},
      }
    },
    close: async () => database.close(),
  }
}

function within(database: SqliteDatabase, write: () => void): void {
  database.exec('BEGIN IMMEDIATE')
  write()
  database.exec('COMMIT')
}
