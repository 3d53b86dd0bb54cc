// In a folder without any optional peer: what works, and what the errors name.
import { deepBufferRevive } from '@luoarch/baileys-store-core'
import { createHybridStore } from '@luoarch/baileys-store-core/hybrid'
import { createMongoStore } from '@luoarch/baileys-store-core/mongodb'
import { createRedisStore } from '@luoarch/baileys-store-core/redis'
import { createSqliteStore, useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'

const redis = await createRedisStore({ redisUrl: 'redis://localhost' }).catch(error => error)
const traced = await createRedisStore({
  redisUrl: 'redis://localhost',
  observability: { enableTracing: true },
}).catch(error => error)
const mongodb = await createMongoStore({ mongoUrl: 'mongodb://localhost' }).catch(error => error)
const both = { redisUrl: 'redis://localhost', mongoUrl: 'mongodb://localhost' }
const hybrid = await createHybridStore(both).catch(error => error)
const describe = error => (error ? `${error.code}: ${error.message}` : 'works')
const revived = deepBufferRevive({ type: 'Buffer', data: [104, 105] }).toString()
const store = await createSqliteStore({ path: './bare.db' }).then(
  opened => opened.close(),
  error => error,
)
const hook = await useSqliteAuthState({ sessionId: 'bot', sqlite: { path: './bare.db' } }).catch(
  error => error,
)
process.stdout.write(
  JSON.stringify({
    revived,
    store: describe(store),
    hook: describe(hook),
    redis: describe(redis),
    traced: describe(traced),
    mongodb: describe(mongodb),
    hybrid: describe(hybrid),
  }),
)
