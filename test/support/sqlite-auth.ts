import { type SqliteOptions, useSqliteAuthState } from '../../src/sqlite/index.js'
import type { BotAuth, BotAuthEvents } from './bot-auth.js'

export interface SqliteAuthOptions {
  sessionId: string
  sqlite: SqliteOptions
  repairSenderKeys?: boolean
}

/** The hook on an SQLite file, for bots here and in processes of their own. */
export default function openSqliteAuth(options: SqliteAuthOptions, events: BotAuthEvents): Promise<BotAuth> {
  return useSqliteAuthState({ ...options, onOwnershipLost: events.ownershipLost })
}
