/**
 * A hybrid store whose metrics Prometheus scrapes: node express-metrics.mjs, then curl localhost:9464/metrics
 *
 * REDIS_URL, MONGO_URL, MONGO_DATABASE and PORT say where; redis://localhost:6379, mongodb://localhost:27017, whatsapp and
 * 9464 by default.
 * Needs express: npm install express. BAILEYS_MASTER_KEY encrypts the sessions.
 * From a clone: npm run build, then node examples/express-metrics.mjs
 */
import { createHybridStore } from '@luoarch/baileys-store-core/hybrid'
import express from 'express'

const store = await createHybridStore({
  redisUrl: process.env.REDIS_URL ?? 'redis://localhost:6379',
  mongoUrl: process.env.MONGO_URL ?? 'mongodb://localhost:27017',
  mongoDatabase: process.env.MONGO_DATABASE ?? 'whatsapp', // the same as in your bots
  masterKey: process.env.BAILEYS_MASTER_KEY,
  observability: { enableMetrics: true, metricsInterval: 15_000 },
})
await store.exists('my-bot') // a bot calls useHybridAuthState({ sessionId: 'my-bot', store })

const app = express()
app.get('/metrics', async (_request, response) => {
  response.set('Content-Type', store.getMetricsRegistry().contentType)
  response.send(await store.getMetricsText())
})
app.get('/healthz', async (_request, response) => {
  response.sendStatus((await store.isHealthy()) ? 200 : 503)
})
const server = app.listen(Number(process.env.PORT ?? 9464), () => {
  console.log(`http://localhost:${server.address().port}/metrics`)
})

async function stop() {
  server.close()
  await store.close()
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)
