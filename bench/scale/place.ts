import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startMongo } from '../../test/support/mongodb/mongodb-server.js'
import { countClients } from '../../test/support/redis/count-clients.js'
import { startRedis } from '../../test/support/redis/redis-server.js'
import type { ScaleOptions, StoreName } from './arguments.js'
import type { Database } from './database.js'

export interface Place {
  database: Database
  /** Clients that Redis has; `undefined` where there is none. */
  countRedisClients(): Promise<number | undefined>
  leave(): Promise<void>
}

/** Servers for this run alone, or a file. */
export async function openPlace({ store, isEncrypted, isCached }: ScaleOptions): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'scale-'))
  const redis = store === 'redis' || store === 'hybrid' ? await startRedis() : undefined
  const mongo = store === 'mongodb' || store === 'hybrid' ? await startMongo() : undefined
  const redisUrl = redis?.url ?? ''
  const mongoUrl = mongo?.url ?? ''
  const key = isEncrypted ? { masterKey: randomBytes(32).toString('hex') } : {}
  const cache = isCached ? {} : { cache: false as const }
  return {
    database: { ...key, ...cache, ...toAddress(store) },
    async countRedisClients() {
      if (redis === undefined) return undefined
      const client = new Redis(redis.url)
      const clients = await countClients(client)
      client.disconnect()
      return clients - 1 // this one
    },
    async leave() {
      await Promise.all([redis?.stop(), mongo?.stop()])
      await rm(folder, { recursive: true })
    },
  }

  function toAddress(name: StoreName): Database {
    switch (name) {
      case 'redis':
        return { store: name, redisUrl }
      case 'mongodb':
        return { store: name, mongoUrl }
      case 'hybrid':
        return { store: name, redisUrl, mongoUrl }
      case 'sqlite':
        return { store: name, path: join(folder, 'auth.db') }
    }
  }
}
