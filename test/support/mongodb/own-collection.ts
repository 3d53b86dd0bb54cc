import { randomBytes } from 'node:crypto'
import { type Document, MongoClient } from 'mongodb'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { createMongoStore, type MongoAuthStore, type MongoOptions } from '../../../src/mongodb/index.js'
import { type MongoServer, type MongoServerOptions, startMongo } from './mongodb-server.js'

/** A server for the tests of one file, and collections of their own in one database. */
export function useServer(database: string, options: MongoServerOptions = {}) {
  let server: MongoServer
  let client: MongoClient
  beforeAll(async () => {
    server = await startMongo({ shared: true, ...options })
    client = new MongoClient(server.url, { monitorCommands: true })
  }, 240_000)
  afterAll(async () => {
    await client?.db(database).dropDatabase()
    await client?.close()
    await server?.stop()
  })
  return {
    get url() {
      return server.url
    },
    get client() {
      return client
    },
    place: () => ({ database, collection: `auth-${randomBytes(6).toString('hex')}` }),
    documents: (collection: string) => client.db(database).collection<Document & { _id: string }>(collection),
  }
}

/** Closed after the test. */
export async function openStore(options: MongoOptions): Promise<MongoAuthStore> {
  const store = await createMongoStore(options)
  onTestFinished(() => store.close())
  return store
}
