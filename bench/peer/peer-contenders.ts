import { useHybridAuthState } from 'peer/hybrid'
import { useMongoAuthState } from 'peer/mongodb'
import { useRedisAuthState } from 'peer/redis'
import type { Contender } from '../contenders/bot.js'
import { DATABASE, MASTER_KEY, type Place } from '../contenders/place.js'
import { withRedis } from '../contenders/with-redis.js'
import { CREDS } from '../values.js'

// It tells the console of each call; what that costs is not to be measured.
console.debug = () => {}

/** Its hook takes no defaults for these. They are those of its README. */
const SETTINGS = {
  ttl: { defaultTtl: 2_592_000, credsTtl: 2_592_000, keysTtl: 2_592_000, lockTtl: 5 },
  resilience: { operationTimeout: 5000, maxRetries: 3, retryBaseDelay: 100, retryMultiplier: 2 },
}
const SECURITY = { enableEncryption: true, enableCompression: true, masterKey: MASTER_KEY }

/** With encryption and compression. */
function createPeer(open: (sessionId: string) => Promise<PeerHandle>, evict?: Contender['evict']): Contender {
  return {
    name: 'peer',
    ...(evict && { evict }),
    async open(sessionId) {
      const { state, saveCreds, store } = await open(sessionId)
      Object.assign(state.creds, CREDS)
      return {
        get: ids => state.keys.get('session', ids),
        set: keys => state.keys.set(keys),
        saveCreds,
        close: () => store.disconnect(),
      }
    },
    close: async () => {},
  }
}

export async function openPeerRedis({ redisUrl }: Place): Promise<Contender> {
  const redis = { redisUrl, ...SETTINGS }
  return createPeer(sessionId => useRedisAuthState({ sessionId, redis, ...SECURITY }))
}

export async function openPeerMongo({ mongoUrl }: Place): Promise<Contender> {
  const mongodb = { mongoUrl, databaseName: DATABASE, collectionName: 'peer', ...SETTINGS }
  return createPeer(sessionId => useMongoAuthState({ sessionId, mongodb, ...SECURITY }))
}

export async function openPeerHybrid({ redisUrl, mongoUrl }: Place): Promise<Contender> {
  const hybrid = {
    redisUrl,
    mongoUrl,
    mongoDatabase: DATABASE,
    mongoCollection: 'peer-hybrid',
    masterKey: MASTER_KEY,
    security: { ...SECURITY, encryptionAlgorithm: 'secretbox', compressionAlgorithm: 'snappy' },
    observability: { enableMetrics: true },
    ...SETTINGS,
  }
  const names = (sessionId: string) =>
    ['creds', 'keys', 'meta'].map(part => `baileys:auth:${sessionId}:${part}`)
  return createPeer(
    sessionId => useHybridAuthState({ sessionId, hybrid }),
    sessionId => withRedis(redisUrl, async redis => (await redis.del(names(sessionId))) === 3),
  )
}
