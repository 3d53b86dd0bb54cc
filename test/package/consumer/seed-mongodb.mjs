// The seed's snippet as it stands, and a look at what it gives.
import { useMongoAuthState } from '@luoarch/baileys-store-core/mongodb';

const { state, saveCreds, store } = await useMongoAuthState({
  sessionId: 'mongo-session',
  mongodb: {
    mongoUrl: 'mongodb://localhost:27017',
    database: 'whatsapp',
    collection: 'auth',
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
const { version, data } = await store.get('mongo-session')
process.stdout.write(JSON.stringify([version, data.keys, typeof data.creds.registrationId]))
await store.delete('mongo-session')
await store.close()
