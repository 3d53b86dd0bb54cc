/**
 * Two bots on one Redis, over one connection: node redis.mjs
 *
 * REDIS_URL says where Redis is, redis://localhost:6379 by default. BAILEYS_MASTER_KEY, 64 hex characters, encrypts.
 * From a clone: npm run build, then node examples/redis.mjs
 */
import { createRedisStore, useRedisAuthState } from '@luoarch/baileys-store-core/redis'

const store = await createRedisStore({
  redisUrl: process.env.REDIS_URL ?? 'redis://localhost:6379',
  masterKey: process.env.BAILEYS_MASTER_KEY,
  prefix: 'baileys:example',
  security: { logger: console },
})

for (const sessionId of ['first', 'second']) {
  const { state, saveCreds, close } = await useRedisAuthState({
    sessionId,
    store,
    ownership: 'exclusive', // a second process with this session waits until this one closes
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
  console.log(
    `${sessionId} is at version ${session?.version} with ${(await store.listKeys(sessionId)).length} key`,
  )
  await store.delete(sessionId)
}
await store.close()
