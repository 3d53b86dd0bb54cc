import { createRedisStore, type RedisOptions } from '../../../src/redis/index.js'
import { openCluster, type Servers } from './redis-database.js'

/** How another process opens the store. */
export default async ({ servers, options }: { servers: Servers; options: RedisOptions }) => {
  if ('url' in servers) return createRedisStore({ ...options, redisUrl: servers.url })
  const redis = openCluster(servers.cluster)
  const store = await createRedisStore({ ...options, redis })
  const close = store.close.bind(store)
  store.close = async () => {
    await close()
    redis?.disconnect()
  }
  return store
}
