import { afterAll, beforeAll } from 'vitest'
import type { MongoOptions } from '../../src/mongodb/index.js'
import { createMongoDatabase } from '../support/mongodb/mongodb-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type BaileysDatabase, describeBaileys } from './baileys-suite.js'
import { describeKilledServer } from './killed-server.js'

const AUTH_MODULE = new URL('../support/mongodb/mongodb-auth.ts', import.meta.url).href
const MASTER_KEY = '5e'.repeat(32)
const SEALED: MongoOptions = { masterKey: MASTER_KEY, security: { enableCompression: true } }
const SECRETBOX: MongoOptions = { masterKey: MASTER_KEY, security: { encryptionAlgorithm: 'secretbox' } }

let server: MongoServer
beforeAll(async () => {
  server = await startMongo({ shared: true })
}, 240_000)
afterAll(() => server?.stop())

describeBaileys('MongoDB, encrypted and compressed', async () => createDatabase(server.url, SEALED))
describeBaileys('MongoDB, by secretbox', async () => createDatabase(server.url, SECRETBOX))
describeBaileys('MongoDB, in the clear', async () => createDatabase(server.url, {}))

describeKilledServer('MongoDB', async () => {
  const server = await startMongo()
  const patient = { ...SEALED, resilience: { operationTimeout: 15_000, maxRetries: 50 } }
  return { server, database: createDatabase(server.url, patient) }
})

function createDatabase(url: string, options: MongoOptions): BaileysDatabase {
  const database = createMongoDatabase(url)
  return {
    authOf: (sessionId, given) => ({
      authModule: AUTH_MODULE,
      authOptions: { sessionId, mongodb: { ...options, ...database.place } as never, ...given },
    }),
    openStore: () => database.openStore(options),
    remove: () => database.remove(),
  }
}
