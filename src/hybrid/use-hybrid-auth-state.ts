import type { AuthStateHandle, AuthStateOptions } from '../core/hook/auth-state.js'
import { openHook, type StoreSource } from '../core/hook/hook.js'
import type { HybridOptions } from './hybrid-options.js'
import { createHybridStore, type HybridAuthStore } from './hybrid-store.js'

export interface HybridAuthStateOptions extends AuthStateOptions, StoreSource<HybridAuthStore> {
  /** Opens a store with these options, which hooks with equal ones share. Or give an open one as `store`. */
  hybrid?: HybridOptions | undefined
}

/**
 * The auth state of one bot in Redis and MongoDB. Opening takes the ownership of the session; from then on, the store
 * refuses the earlier owner. It never replaces an existing session by a new one, and throws for a session that it cannot
 * read.
 */
export function useHybridAuthState(
  options: HybridAuthStateOptions,
): Promise<AuthStateHandle<HybridAuthStore>> {
  return openHook(options, { name: 'hybrid', createStore: createHybridStore })
}
