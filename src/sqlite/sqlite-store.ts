import { CodecStore } from '../core/store/codec-store.js'
import { toSettings } from '../core/store/store-settings.js'
import { openConnection } from './open-connection.js'
import { SqliteBackend } from './sqlite-backend.js'
import { parseSqliteOptions, type SqliteOptions } from './sqlite-options.js'

/** A file is for keeping: its sessions live for ever unless `ttl` says otherwise. */
const DEFAULT_TTL_SECONDS = 0

/** Many sessions in one SQLite file. Create it with `createSqliteStore`. */
export class SqliteAuthStore extends CodecStore {}

/**
 * Opens the file, and creates or migrates it if needed. Throws `INVALID_OPTION`, `MISSING_DEPENDENCY`,
 * `STORE_UNAVAILABLE`, `CORRUPT_VALUE` (not a database) and `UNSUPPORTED_FORMAT` (from a newer version).
 */
export async function createSqliteStore(options: SqliteOptions): Promise<SqliteAuthStore> {
  const parsed = parseSqliteOptions(options)
  const settings = await toSettings(parsed, DEFAULT_TTL_SECONDS)
  const { retry, ttlMs } = settings
  const { connection, release } = await openConnection(parsed)
  const backend = new SqliteBackend({ connection, release, ttlMs, busyTimeoutMs: retry.timeoutMs })
  return new SqliteAuthStore({ ...settings, backend, memory: connection.memory })
}
