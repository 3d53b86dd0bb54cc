import { type MongoOptions, useMongoAuthState } from '../../../src/mongodb/index.js'
import type { BotAuth, BotAuthEvents } from '../bot-auth.js'

export interface MongoAuthOptions {
  sessionId: string
  mongodb: MongoOptions
  repairSenderKeys?: boolean
}

/** The hook on MongoDB, for bots here and in processes of their own. */
export default function openMongoAuth(options: MongoAuthOptions, events: BotAuthEvents): Promise<BotAuth> {
  return useMongoAuthState({ ...options, onOwnershipLost: events.ownershipLost })
}
