import type { AuthStateHandle, AuthStateOptions } from '../core/hook/auth-state.js'
import { openHook, type StoreSource } from '../core/hook/hook.js'
import type { SqliteOptions } from './sqlite-options.js'
import { createSqliteStore, type SqliteAuthStore } from './sqlite-store.js'

export interface SqliteAuthStateOptions extends AuthStateOptions, StoreSource<SqliteAuthStore> {
  sqlite?: SqliteOptions | undefined
}

/**
 * The auth state of one bot in an SQLite file. Opening takes the ownership of the session, and the store refuses its earlier
 * owner from then on. It never replaces a session that exists by a new one; what it cannot read throws.
 */
export function useSqliteAuthState(
  options: SqliteAuthStateOptions,
): Promise<AuthStateHandle<SqliteAuthStore>> {
  return openHook(options, { name: 'sqlite', createStore: createSqliteStore })
}
