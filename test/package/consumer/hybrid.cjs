// The required entry on whichever drivers are installed: node hybrid.cjs REDIS_URL MONGO_URL
const { createHybridStore } = require('@luoarch/baileys-store-core/hybrid')

async function main() {
  const [, , redisUrl, mongoUrl] = process.argv
  const name = `cjs-${process.pid}`
  const store = await createHybridStore({ redisUrl, mongoUrl, prefix: name, mongoCollection: name })
  const { durability } = await store.set('cjs', {
    creds: { a: 1 },
    keys: { session: { b: Buffer.from('hi') } },
  })
  const { data } = await store.get('cjs')
  process.stdout.write(JSON.stringify([data.creds, data.keys.session.b.toString(), durability]))
  await store.delete('cjs')
  await store.close()
}
main()
