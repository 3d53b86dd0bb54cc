import type { AuthStateHandle, AuthStateOptions } from '../core/hook/auth-state.js'
import { openHook, type StoreSource } from '../core/hook/hook.js'
import type { SqliteOptions } from './sqlite-options.js'
import { createSqliteStore, type SqliteAuthStore } from './sqlite-store.js'

export interface SqliteAuthStateOptions extends AuthStateOptions, StoreSource<SqliteAuthStore> {
  /** Opens a store with these options, which hooks with equal ones share. Or give an open one as `store`. */
  sqlite?: SqliteOptions | undefined
}

/**
 * The auth state of one bot in an SQLite file. Opening takes the ownership of the session; from then on, the store
 * refuses the earlier owner. It never replaces an existing session by a new one, and throws for a session that it
 * cannot read.
 */
export function useSqliteAuthState(
  options: SqliteAuthStateOptions,
): Promise<AuthStateHandle<SqliteAuthStore>> {
  return openHook(options, {
    name: 'sqlite',
    createStore: createSqliteStore,
    canShare: ({ path }) => path !== ':memory:', // each is a database of its own
  })
}
