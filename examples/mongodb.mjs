/**
 * Two bots in one collection of MongoDB, over one pool: node mongodb.mjs
 *
 * MONGODB_URL says where it is, mongodb://localhost:27017 by default. BAILEYS_MASTER_KEY, 64 hex characters, encrypts.
 * From a clone: npm run build, then node examples/mongodb.mjs
 */
import { createMongoStore, useMongoAuthState } from '@luoarch/baileys-store-core/mongodb'

const store = await createMongoStore({
  mongoUrl: process.env.MONGODB_URL ?? 'mongodb://localhost:27017',
  database: 'whatsapp',
  collection: 'example',
  masterKey: process.env.BAILEYS_MASTER_KEY,
  security: { logger: console },
})

for (const sessionId of ['first', 'second']) {
  const { state, saveCreds, close } = await useMongoAuthState({
    sessionId,
    store,
    onOwnershipLost: error => console.log(`${sessionId}: ${error.message}`),
  })
  // const socket = makeWASocket({ auth: state })
  // socket.ev.on('creds.update', saveCreds)
  await state.keys.set({ 'lid-mapping': { 15550001: `1000${sessionId.length}` } })
  await saveCreds()
  await close()
}

for await (const { sessionId } of store.sessions()) {
  const session = await store.get(sessionId)
  const keys = await store.listKeys(sessionId)
  console.log(`${sessionId} is at version ${session?.version} with ${keys.length} key`)
  await store.delete(sessionId)
}
await store.close()
