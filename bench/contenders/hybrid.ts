import { setTimeout as sleep } from 'node:timers/promises'
import { useHybridAuthState } from '@luoarch/baileys-store-core/hybrid'
import type { Redis } from 'ioredis'
import { KeyNames } from '../../src/redis/key-names.js'
import { openPeerHybrid } from '../peer/peer-contenders.js'
import type { Bot, Contender } from './bot.js'
import { createOurs, type OurName, toOptions } from './ours.js'
import { DATABASE, type Place } from './place.js'
import { createRawMongo } from './raw-mongodb.js'
import { createRawRedis } from './raw-redis.js'
import { withRedis } from './with-redis.js'

const PATIENCE_MS = 60_000

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
  ({ redisUrl, mongoUrl }: Place): Promise<Contender> => {
    const prefix = `ours:hybrid:${name}`
    const names = new KeyNames(prefix, { hasOutbox: true })
    /** Until nothing is on its way from Redis to MongoDB. */
    const settle = (redis: Redis) =>
      until(async () => (await redis.keys(names.outboxPattern(''))).length === 0)
    return createOurs(
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
        settle: () => withRedis(redisUrl, settle),
        evict: sessionId =>
          withRedis(redisUrl, async redis => {
            const [creds, keys] = names.of(sessionId)
            await settle(redis)
            return (await redis.del(creds, keys)) === 2
          }),
      },
    )
  }

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error('the outboxes do not get empty')
    await sleep(2)
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
