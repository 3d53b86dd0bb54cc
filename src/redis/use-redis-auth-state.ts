import type { AuthStateHandle, AuthStateOptions } from '../core/hook/auth-state.js'
import { openHook, type StoreSource } from '../core/hook/hook.js'
import type { RedisOptions } from './redis-options.js'
import { createRedisStore, type RedisAuthStore } from './redis-store.js'

export interface RedisAuthStateOptions extends AuthStateOptions, StoreSource<RedisAuthStore> {
  redis?: RedisOptions | undefined
}

/**
 * The auth state of one bot in Redis. Opening takes the ownership of the session, and the store refuses its earlier
 * owner from then on. It never replaces a session that exists by a new one; what it cannot read throws.
 */
export function useRedisAuthState(options: RedisAuthStateOptions): Promise<AuthStateHandle<RedisAuthStore>> {
  return openHook(options, { name: 'redis', createStore: createRedisStore })
}
