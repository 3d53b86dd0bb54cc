import { useRedisAuthState } from '@luoarch/baileys-store-core/redis'
import { openPeerRedis } from '../peer/peer-contenders.js'
import { JSON_BYTES } from './envelopes.js'
import { createOurs, type OurName, toOptions } from './ours.js'
import type { Place } from './place.js'
import { createRawRedis } from './raw-redis.js'

const ours = (name: OurName) => (place: Place) =>
  createOurs(name, sessionId =>
    useRedisAuthState({
      sessionId,
      redis: { redisUrl: place.redisUrl, prefix: `ours:${name}`, ...toOptions(name) },
    }),
  )

export const REDIS = {
  raw: (place: Place) => createRawRedis(place),
  json: (place: Place) => createRawRedis(place, JSON_BYTES),
  plain: ours('plain'),
  encrypted: ours('encrypted'),
  compressed: ours('compressed'),
  cached: ours('cached'),
  peer: openPeerRedis,
}
