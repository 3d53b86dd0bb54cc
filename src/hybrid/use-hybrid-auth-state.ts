import type { AuthStateHandle, AuthStateOptions } from '../core/hook/auth-state.js'
import { openHook, type StoreSource } from '../core/hook/hook.js'
import type { HybridOptions } from './hybrid-options.js'
import { createHybridStore, type HybridAuthStore } from './hybrid-store.js'

export interface HybridAuthStateOptions extends AuthStateOptions, StoreSource<HybridAuthStore> {
  hybrid?: HybridOptions | undefined
}

/**
 * The auth state of one bot in Redis and MongoDB. Opening takes the ownership of the session, and the store refuses its earlier
 * owner from then on. It never replaces a session that exists by a new one; what it cannot read throws.
 */
export function useHybridAuthState(
  options: HybridAuthStateOptions,
): Promise<AuthStateHandle<HybridAuthStore>> {
  return openHook(options, { name: 'hybrid', createStore: createHybridStore })
}
