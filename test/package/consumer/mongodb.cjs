// The required entry on whichever mongodb is installed: node mongodb.cjs URL
const { createMongoStore } = require('@luoarch/baileys-store-core/mongodb')

async function main() {
  const store = await createMongoStore({ mongoUrl: process.argv[2], collection: `cjs-${process.pid}` })
  await store.set('cjs', { creds: { a: 1 }, keys: { session: { b: Buffer.from('hi') } } })
  const { data } = await store.get('cjs')
  process.stdout.write(JSON.stringify([data.creds, data.keys.session.b.toString()]))
  await store.delete('cjs')
  await store.close()
}
main()
