import type { AuthStateHandle, AuthStateOptions } from '../core/hook/auth-state.js'
import { openHook, type StoreSource } from '../core/hook/hook.js'
import type { RedisOptions } from './redis-options.js'
import { createRedisStore, type RedisAuthStore } from './redis-store.js'

export interface RedisAuthStateOptions extends AuthStateOptions, StoreSource<RedisAuthStore> {
  /** Opens a store with these options, which hooks with equal ones share. Or give an open one as `store`. */
  redis?: RedisOptions | undefined
}

/**
 * The auth state of one bot in Redis. Opening takes the ownership of the session; from then on, the store refuses the
 * earlier owner. It never replaces an existing session by a new one, and throws for a session that it cannot read.
 */
export function useRedisAuthState(options: RedisAuthStateOptions): Promise<AuthStateHandle<RedisAuthStore>> {
  return openHook(options, { name: 'redis', createStore: createRedisStore })
}
