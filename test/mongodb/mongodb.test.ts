import { afterAll, beforeAll } from 'vitest'
import { describeAuthState } from '../conformance/auth-state-suite.js'
import { describeAuthStore } from '../conformance/auth-store-suite.js'
import { describeBackend } from '../conformance/backend-suite.js'
import { describeDurableBackend } from '../conformance/durable-backend-suite.js'
import { createMongoDatabase } from '../support/mongodb/mongodb-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'

let server: MongoServer
beforeAll(async () => {
  server = await startMongo({ shared: true })
}, 240_000)
afterAll(() => server.stop())

const create = async () => createMongoDatabase(server.url)
describeBackend('MongoDB', create)
describeDurableBackend('MongoDB', create)
describeAuthStore('MongoDB', create)
describeAuthState('MongoDB', create)
