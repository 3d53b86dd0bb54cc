import type { AuthStateHandle, AuthStateOptions } from '../core/hook/auth-state.js'
import { openHook, type StoreSource } from '../core/hook/hook.js'
import type { MongoOptions } from './mongo-options.js'
import { createMongoStore, type MongoAuthStore } from './mongo-store.js'

export interface MongoAuthStateOptions extends AuthStateOptions, StoreSource<MongoAuthStore> {
  /** Opens a store with these options, which hooks with equal ones share. Or give an open one as `store`. */
  mongodb?: MongoOptions | undefined
}

/**
 * The auth state of one bot in MongoDB. Opening takes the ownership of the session; from then on, the store refuses the
 * earlier owner. It never replaces an existing session by a new one, and throws for a session that it cannot read.
 */
export function useMongoAuthState(options: MongoAuthStateOptions): Promise<AuthStateHandle<MongoAuthStore>> {
  return openHook(options, { name: 'mongodb', createStore: createMongoStore })
}
