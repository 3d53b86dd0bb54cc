import { createHybridStore, type HybridOptions } from '../../../src/hybrid/index.js'
import { openCluster, type Servers } from '../redis/redis-database.js'

/** Many processes and two servers may have to share a processor. */
export const PATIENT: HybridOptions = { resilience: { operationTimeout: 30_000 } }

/** How another process opens the store. */
export default async ({ servers, options: given }: { servers: Servers; options: HybridOptions }) => {
  const options = { ...PATIENT, ...given }
  if ('url' in servers) return createHybridStore({ ...options, redisUrl: servers.url })
  const redis = openCluster(servers.cluster)
  const store = await createHybridStore({ ...options, redis })
  const close = store.close.bind(store)
  store.close = async () => {
    await close()
    redis.disconnect()
  }
  return store
}
