import { type RedisOptions, useRedisAuthState } from '../../../src/redis/index.js'
import type { BotAuth, BotAuthEvents } from '../bot-auth.js'
import { openCluster, type Servers } from './redis-database.js'

export interface RedisAuthOptions {
  sessionId: string
  servers: Servers
  redis: RedisOptions
  repairSenderKeys?: boolean
}

/** The hook on Redis, for bots here and in processes of their own. */
export default async function openRedisAuth(
  { sessionId, servers, redis, repairSenderKeys }: RedisAuthOptions,
  events: BotAuthEvents,
): Promise<BotAuth> {
  const cluster = 'cluster' in servers ? openCluster(servers.cluster) : undefined
  const connection = 'url' in servers ? { redisUrl: servers.url } : { redis: cluster }
  const auth = await useRedisAuthState({
    sessionId,
    repairSenderKeys,
    redis: { ...redis, ...connection },
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
