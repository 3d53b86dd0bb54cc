import { type HybridOptions, useHybridAuthState } from '../../../src/hybrid/index.js'
import type { BotAuth, BotAuthEvents } from '../bot-auth.js'
import { openCluster, type Servers } from '../redis/redis-database.js'

export interface HybridAuthOptions {
  sessionId: string
  servers: Servers
  hybrid: HybridOptions
  repairSenderKeys?: boolean
}

/** The hook on both, for bots here and in processes of their own. */
export default async function openHybridAuth(
  { sessionId, servers, hybrid, repairSenderKeys }: HybridAuthOptions,
  events: BotAuthEvents,
): Promise<BotAuth> {
  const cluster = 'cluster' in servers ? openCluster(servers.cluster) : undefined
  const connection = 'url' in servers ? { redisUrl: servers.url } : { redis: cluster }
  const auth = await useHybridAuthState({
    sessionId,
    repairSenderKeys,
    hybrid: { ...hybrid, ...connection },
    onOwnershipLost: events.ownershipLost,
  })
  return {
    ...auth,
    async close() {
      await auth.close()
      cluster?.disconnect()
    },
  }
}
