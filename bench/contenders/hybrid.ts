import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { useHybridAuthState } from '../../src/hybrid/index.js'
import { KeyNames } from '../../src/redis/key-names.js'
import { openPeerHybrid } from '../peer/peer-contenders.js'
import type { Bot, Contender } from './bot.js'
import { createOurs, type OurName, toOptions } from './ours.js'
import { DATABASE, type Place } from './place.js'
import { createRawMongo } from './raw-mongodb.js'
import { createRawRedis } from './raw-redis.js'

/** Reads from Redis; writes to Redis and then to MongoDB. */
async function createRawHybrid(place: Place): Promise<Contender> {
  const [redis, mongo] = await Promise.all([createRawRedis(place), createRawMongo(place)])
  return {
    name: 'raw',
    async open(sessionId): Promise<Bot> {
      const hot = await redis.open(sessionId)
      const durable = await mongo.open(sessionId)
      return {
        get: ids => hot.get(ids),
        set: async keys => {
          await hot.set(keys)
          await durable.set(keys)
        },
        saveCreds: async () => {
          await hot.saveCreds()
          await durable.saveCreds()
        },
        close: async () => {},
      }
    },
    close: () => Promise.all([redis.close(), mongo.close()]),
  }
}

const ours =
  (name: OurName) =>
  async ({ redisUrl, mongoUrl }: Place): Promise<Contender> => {
    const client = new Redis(redisUrl)
    const prefix = `ours:hybrid:${name}`
    const names = new KeyNames(prefix, { hasOutbox: true })
    /** Until nothing is on its way from Redis to MongoDB. */
    const settle = async () => {
      while ((await client.keys(`${names.outboxPattern('')}`)).length > 0) await sleep(2)
    }
    const contender = await createOurs(
      name,
      sessionId =>
        useHybridAuthState({
          sessionId,
          hybrid: {
            redisUrl,
            mongoUrl,
            mongoDatabase: DATABASE,
            mongoCollection: `ours-hybrid-${name}`,
            prefix,
            enableWriteBehind: name === 'behind',
            ...toOptions(name),
          },
        }),
      {
        settle,
        /** As an eviction would, once what was loaded by the last read is there. */
        async evict(sessionId) {
          const [creds, keys] = names.of(sessionId)
          while ((await client.exists(creds, keys)) < 2) await sleep(2)
          await settle()
          await client.del(creds, keys)
        },
      },
    )
    return {
      ...contender,
      async close() {
        await contender.close()
        client.disconnect()
      },
    }
  }

export const HYBRID = {
  raw: createRawHybrid,
  plain: ours('plain'),
  encrypted: ours('encrypted'),
  compressed: ours('compressed'),
  cached: ours('cached'),
  behind: ours('behind'),
  peer: openPeerHybrid,
}
