// The seed's snippet as it stands, and a look at what it gives.
import { useRedisAuthState } from '@luoarch/baileys-store-core/redis';

const { state, saveCreds, store } = await useRedisAuthState({
  sessionId: 'redis-session',
  redis: {
    redisUrl: 'redis://localhost:6379',
    ttl: {
      defaultTtl: 30 * 24 * 60 * 60,
      credsTtl: 30 * 24 * 60 * 60,
      keysTtl: 30 * 24 * 60 * 60,
      lockTtl: 5,
    },
    masterKey: process.env.BAILEYS_MASTER_KEY,
    // ... other configs
  },
});

await state.keys.set({ 'lid-mapping': { 1: '2' } })
await saveCreds()
const { version, data } = await store.get('redis-session')
process.stdout.write(JSON.stringify([version, data.keys, typeof data.creds.registrationId]))
await store.delete('redis-session')
await store.close()
