import { afterAll, beforeAll } from 'vitest'
import { describeStoredBytes } from '../conformance/auth-store/stored-bytes.js'
import { createMongoDatabase } from '../support/mongodb/mongodb-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { toPlace } from '../support/stored-bytes/elsewhere.js'
import { mongodbMembers } from '../support/stored-bytes/mongodb-members.js'

let server: MongoServer
beforeAll(async () => {
  server = await startMongo({ shared: true })
}, 240_000)
afterAll(() => server.stop())

const create = async () => {
  const database = createMongoDatabase(server.url)
  return toPlace(database, mongodbMembers(database.documents))
}
describeStoredBytes('MongoDB', create, 20)
