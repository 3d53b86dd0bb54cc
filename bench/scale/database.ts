import type { AuthStateHandle, AuthStore } from '@luoarch/baileys-store-core'
import { createHybridStore, useHybridAuthState } from '@luoarch/baileys-store-core/hybrid'
import { createMongoStore, useMongoAuthState } from '@luoarch/baileys-store-core/mongodb'
import { createRedisStore, useRedisAuthState } from '@luoarch/baileys-store-core/redis'
import { createSqliteStore, useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'

/** Where the sessions are. As JSON, so that the process that fills it can be told. */
export type Database = { masterKey?: string; cache?: false } & (
  | { store: 'redis'; redisUrl: string }
  | { store: 'mongodb'; mongoUrl: string }
  | { store: 'hybrid'; redisUrl: string; mongoUrl: string }
  | { store: 'sqlite'; path: string }
)

export interface OpenStore {
  store: AuthStore
  /** The hook, over the one store. */
  open(sessionId: string): Promise<AuthStateHandle<AuthStore>>
}

export async function openStore({ store: name, ...where }: Database): Promise<OpenStore> {
  switch (name) {
    case 'redis': {
      const store = await createRedisStore(where)
      return { store, open: sessionId => useRedisAuthState({ sessionId, store }) }
    }
    case 'mongodb': {
      const store = await createMongoStore(where)
      return { store, open: sessionId => useMongoAuthState({ sessionId, store }) }
    }
    case 'hybrid': {
      const store = await createHybridStore(where)
      return { store, open: sessionId => useHybridAuthState({ sessionId, store }) }
    }
    case 'sqlite': {
      const store = await createSqliteStore(where)
      return { store, open: sessionId => useSqliteAuthState({ sessionId, store }) }
    }
  }
}
