/** Where the demo keeps its sessions. As JSON, so that the bots' processes can be told. */
import { createHybridStore, useHybridAuthState } from '@luoarch/baileys-store-core/hybrid'
import { createMongoStore, useMongoAuthState } from '@luoarch/baileys-store-core/mongodb'
import { createRedisStore, useRedisAuthState } from '@luoarch/baileys-store-core/redis'
import { createSqliteStore, useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'
import type { BotAuthEvents } from '../../test/support/bot-auth.js'

export type Database =
  | { store: 'sqlite'; path: string }
  | { store: 'redis'; redisUrl: string; prefix: string }
  | { store: 'mongodb'; mongoUrl: string; collection: string }
  | { store: 'hybrid'; redisUrl: string; prefix: string; mongoUrl: string; mongoCollection: string }

export function openAuth(
  { store, ...place }: Database,
  sessionId: string,
  masterKey: string,
  events: BotAuthEvents,
) {
  const options = { sessionId, onOwnershipLost: events.ownershipLost }
  const where = { ...place, masterKey }
  switch (store) {
    case 'sqlite':
      return useSqliteAuthState({ ...options, sqlite: where })
    case 'redis':
      return useRedisAuthState({ ...options, redis: where })
    case 'mongodb':
      return useMongoAuthState({ ...options, mongodb: where })
    case 'hybrid':
      return useHybridAuthState({ ...options, hybrid: where })
  }
}

export function openStore({ store, ...place }: Database, masterKey: string) {
  const where = { ...place, masterKey }
  switch (store) {
    case 'sqlite':
      return createSqliteStore(where)
    case 'redis':
      return createRedisStore(where)
    case 'mongodb':
      return createMongoStore(where)
    case 'hybrid':
      return createHybridStore(where)
  }
}
