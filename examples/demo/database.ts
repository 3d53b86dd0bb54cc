/** Where the demo keeps its sessions. As JSON, so that the bots' processes can be told. */
import { createRedisStore, useRedisAuthState } from '@luoarch/baileys-store-core/redis'
import { createSqliteStore, useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'
import type { BotAuthEvents } from '../../test/support/bot-auth.js'

export type Database =
  | { store: 'sqlite'; path: string }
  | { store: 'redis'; redisUrl: string; prefix: string }

export function openAuth(database: Database, sessionId: string, masterKey: string, events: BotAuthEvents) {
  const options = { sessionId, onOwnershipLost: events.ownershipLost }
  return database.store === 'sqlite'
    ? useSqliteAuthState({ ...options, sqlite: { path: database.path, masterKey } })
    : useRedisAuthState({
        ...options,
        redis: { redisUrl: database.redisUrl, prefix: database.prefix, masterKey },
      })
}

export function openStore(database: Database, masterKey: string) {
  return database.store === 'sqlite'
    ? createSqliteStore({ path: database.path, masterKey })
    : createRedisStore({ redisUrl: database.redisUrl, prefix: database.prefix, masterKey })
}
