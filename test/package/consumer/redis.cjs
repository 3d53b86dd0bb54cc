// The required entry on whichever ioredis is installed: node redis.cjs URL
const { createRedisStore } = require('@luoarch/baileys-store-core/redis')

async function main() {
  const store = await createRedisStore({ redisUrl: process.argv[2] })
  await store.set('cjs', { creds: { a: 1 }, keys: { session: { b: Buffer.from('hi') } } })
  const { data } = await store.get('cjs')
  process.stdout.write(JSON.stringify([data.creds, data.keys.session.b.toString()]))
  await store.delete('cjs')
  await store.close()
}
main()
