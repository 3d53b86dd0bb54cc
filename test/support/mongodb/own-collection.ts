import { randomBytes } from 'node:crypto'
import { type Document, MongoClient } from 'mongodb'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { createMongoStore, type MongoAuthStore, type MongoOptions } from '../../../src/mongodb/index.js'
import { type MongoServer, type MongoServerOptions, startMongo } from './mongodb-server.js'
import { untilApplied } from './until-applied.js'

/** A server for the tests of one file, and collections of their own in one database. */
export function useServer(database: string, options: MongoServerOptions = {}) {
  let server: MongoServer
  let client: MongoClient
  let observer: MongoClient
  beforeAll(async () => {
    server = await startMongo({ shared: true, ...options })
    client = new MongoClient(server.url, { monitorCommands: true })
    observer = new MongoClient(server.url)
  }, 240_000)
  afterAll(async () => {
    await client?.db(database).dropDatabase()
    await Promise.all([client?.close(), observer?.close()])
    await server?.stop()
  })
  const documents = (collection: string) =>
    observer.db(database).collection<Document & { _id: string }>(collection)
  return {
    get url() {
      return server.url
    },
    get client() {
      return client
    },
    place: () => ({ database, collection: `auth-${randomBytes(6).toString('hex')}` }),
    documents,
    untilApplied: (collection: string) => untilApplied(documents(collection)),
  }
}

/** Closed after the test. */
export async function openStore(options: MongoOptions): Promise<MongoAuthStore> {
  const store = await createMongoStore(options)
  onTestFinished(() => store.close())
  return store
}
