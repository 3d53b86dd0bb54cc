import type { AuthStateHandle, AuthStateOptions } from '../core/hook/auth-state.js'
import { openHook, type StoreSource } from '../core/hook/hook.js'
import type { HybridOptions } from './hybrid-options.js'
import { createHybridStore, type HybridAuthStore } from './hybrid-store.js'

export interface HybridAuthStateOptions extends AuthStateOptions, StoreSource<HybridAuthStore> {
  hybrid?: HybridOptions | undefined
}

/**
 * The auth state of one bot in Redis and MongoDB. Opening takes the ownership of the session: whoever had it before is
 * refused from then on. A session that exists is never replaced by a new one; what cannot be read throws.
 */
export function useHybridAuthState(
  options: HybridAuthStateOptions,
): Promise<AuthStateHandle<HybridAuthStore>> {
  return openHook(options, { name: 'hybrid', createStore: createHybridStore })
}
