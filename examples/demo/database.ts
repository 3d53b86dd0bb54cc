/** Where the demo keeps its sessions. As JSON, so that the bots' processes can be told. */
import { createRedisStore, useRedisAuthState } from '@luoarch/baileys-store-core/redis'
import { createSqliteStore, useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'
import type { BotAuthEvents } from '../../test/support/bot-auth.js'

export type Database = { store: 'sqlite'; path: string } | { store: 'redis'; redisUrl: string }

export function openAuth(database: Database, sessionId: string, masterKey: string, events: BotAuthEvents) {
  const options = { sessionId, onOwnershipLost: events.ownershipLost }
  return database.store === 'sqlite'
    ? useSqliteAuthState({ ...options, sqlite: { path: database.path, masterKey } })
    : useRedisAuthState({ ...options, redis: { redisUrl: database.redisUrl, prefix: PREFIX, masterKey } })
}

export function openStore(database: Database, masterKey: string) {
  return database.store === 'sqlite'
    ? createSqliteStore({ path: database.path, masterKey })
    : createRedisStore({ redisUrl: database.redisUrl, prefix: PREFIX, masterKey })
}

/** Apart from the sessions of real bots, in a Redis that was given. */
const PREFIX = `baileys:demo:${process.env.BAILEYS_DEMO_RUN ?? process.pid}`

/** The processes of one run share its sessions. */
process.env.BAILEYS_DEMO_RUN ??= String(process.pid)
