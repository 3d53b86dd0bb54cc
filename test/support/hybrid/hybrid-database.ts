import { vi } from 'vitest'
import { nullLogger } from '../../../src/core/logger.js'
import { SessionMemory } from '../../../src/core/store/session-memory.js'
import { composeHybrid } from '../../../src/hybrid/compose.js'
import { createHybridStore, type HybridOptions } from '../../../src/hybrid/index.js'
import { KeyNames } from '../../../src/redis/key-names.js'
import { openConnection } from '../../../src/redis/open-connection.js'
import type { StoreDatabase } from '../../conformance/auth-store/harness.js'
import { untilNothingIsUnderWay } from '../mongodb/commands-under-way.js'
import { createMongoDatabase } from '../mongodb/mongodb-database.js'
import { createRedisDatabase, type Servers } from '../redis/redis-database.js'
import { PATIENT } from './hybrid-store-module.js'

const STORE_MODULE = new URL('./hybrid-store-module.ts', import.meta.url).href

export interface HybridServers {
  redis: Servers
  mongoUrl: string
}

/** A prefix in Redis and a collection in MongoDB of its own, on servers that are shared. */
export function createHybridDatabase(
  servers: HybridServers,
  { enableWriteBehind = false }: HybridOptions = {},
): StoreDatabase {
  const hot = createRedisDatabase(servers.redis)
  const durable = createMongoDatabase(servers.mongoUrl)
  const place: HybridOptions = {
    ...hot.place,
    mongoUrl: servers.mongoUrl,
    mongoDatabase: durable.place.database,
    mongoCollection: durable.place.collection,
    enableWriteBehind,
  }

  const outboxes = new KeyNames(hot.prefix, { hasOutbox: true }).outboxPattern('')
  /** Nothing is on its way from Redis to MongoDB. */
  const isSettled = async () => {
    await vi.waitUntil(async () => (await hot.keys(outboxes)).length === 0, 10_000)
    await untilNothingIsUnderWay()
  }

  return {
    durability: enableWriteBehind ? 'outbox' : 'durable',
    async open({ ttlMs = null, now, memory = new SessionMemory() } = {}) {
      const names = new KeyNames(hot.prefix, { hasOutbox: true })
      const { connection, release } = await openConnection(hot.place, 5000)
      const { backend } = composeHybrid({
        redis: { connection, release, names, ttlMs, maxEntries: 10_000, now },
        durable: await durable.open({ ttlMs, now }),
        memory,
        timeoutMs: 20_000, // of which MongoDB has 8, on a busy machine
        isWriteBehind: enableWriteBehind,
        opensDegraded: false,
        logger: nullLogger,
      })
      return backend
    },
    openStore: given => createHybridStore({ ...PATIENT, ...given, ...place }),
    source: given => ({
      module: STORE_MODULE,
      options: { servers: servers.redis, options: { ...given, ...place, redis: undefined } },
    }),
    async remember() {
      await isSettled()
      const restorations = await Promise.all([hot.remember(), durable.remember()])
      return async () => {
        await isSettled()
        for (const restore of restorations) await restore()
      }
    },
    async dump() {
      return Buffer.concat(await Promise.all([hot.dump(), durable.dump()]))
    },
    async remove() {
      await Promise.all([hot.remove(), durable.remove()])
    },
  }
}
