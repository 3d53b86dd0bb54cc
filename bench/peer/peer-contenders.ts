import { useHybridAuthState } from 'peer/hybrid'
import { useMongoAuthState } from 'peer/mongodb'
import { useRedisAuthState } from 'peer/redis'
import type { Contender } from '../contenders/bot.js'
import { DATABASE, MASTER_KEY, type Place } from '../contenders/place.js'
import { withRedis } from '../contenders/with-redis.js'
import { CREDS } from '../values.js'
import { SETTINGS } from './peer-settings.js'

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
