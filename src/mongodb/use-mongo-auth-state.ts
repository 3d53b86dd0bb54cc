import type { AuthStateHandle, AuthStateOptions } from '../core/hook/auth-state.js'
import { openHook, type StoreSource } from '../core/hook/hook.js'
import type { MongoOptions } from './mongo-options.js'
import { createMongoStore, type MongoAuthStore } from './mongo-store.js'

export interface MongoAuthStateOptions extends AuthStateOptions, StoreSource<MongoAuthStore> {
  mongodb?: MongoOptions | undefined
}

/**
 * The auth state of one bot in MongoDB. Opening takes the ownership of the session, and the store refuses its earlier
 * owner from then on. It never replaces a session that exists by a new one; what it cannot read throws.
 */
export function useMongoAuthState(options: MongoAuthStateOptions): Promise<AuthStateHandle<MongoAuthStore>> {
  return openHook(options, { name: 'mongodb', createStore: createMongoStore })
}
