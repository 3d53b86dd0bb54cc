import { randomBytes } from 'node:crypto'
import { type Collection, type Document, MongoClient } from 'mongodb'
import { nullLogger } from '../../../src/core/logger.js'
import { createMongoStore } from '../../../src/mongodb/index.js'
import { MongoBackend } from '../../../src/mongodb/mongo-backend.js'
import { openConnection } from '../../../src/mongodb/open-connection.js'
import type { StoreDatabase } from '../../conformance/auth-store/harness.js'
import type { BackendOptions } from '../../conformance/backend/harness.js'

const STORE_MODULE = new URL('./mongodb-store-module.ts', import.meta.url).href
const DATABASE = 'conformance'
const DUPLICATE_KEY = 11000

export interface MongoTestDatabase extends StoreDatabase {
  readonly place: { mongoUrl: string; database: string; collection: string }
  readonly documents: Collection<Document & { _id: string }>
  open(options?: BackendOptions): Promise<MongoBackend>
}

/** A collection of its own on a server that is shared. */
export function createMongoDatabase(url: string): MongoTestDatabase {
  const collection = `auth-${randomBytes(6).toString('hex')}`
  const place = { mongoUrl: url, database: DATABASE, collection }
  const client = new MongoClient(url)
  let opened = 0
  const documents = client.db(DATABASE).collection<Document & { _id: string }>(collection)

  return {
    place,
    documents,
    async open({ ttlMs = null, now } = {}) {
      const mongoOptions = { appName: `backend-${opened++}` } // a pool of its own, as in another process
      const { connection, release } = await openConnection({ ...place, mongoOptions }, 5000)
      return new MongoBackend({
        collection: connection.collectionOf(DATABASE, collection),
        ttlMs,
        timeoutMs: 5000,
        logger: nullLogger,
        release,
        now,
      })
    },
    openStore: given => createMongoStore({ ...given, ...place }),
    source: given => ({ module: STORE_MODULE, options: { ...given, ...place } }),
    async remember() {
      const remembered = await documents.find().toArray()
      const restore = async (): Promise<void> => {
        await documents.deleteMany()
        if (remembered.length > 0) await documents.insertMany(remembered)
      }
      return () =>
        restore().catch(error => {
          if (error.code !== DUPLICATE_KEY) throw error
          return restore() // a store has written in between what is no longer acknowledged to anybody
        })
    },
    async dump() {
      const found = await documents.find({}, { promoteBuffers: true }).toArray()
      return Buffer.concat(found.flatMap(bytesOf))
    },
    async remove() {
      await documents.drop()
      await client.close()
    },
  }
}

function bytesOf(value: unknown): Buffer[] {
  if (Buffer.isBuffer(value)) return [value]
  if (value instanceof Date) return [Buffer.from(value.toISOString())]
  if (typeof value !== 'object' || value === null) return [Buffer.from(String(value))]
  return Object.entries(value).flatMap(([name, child]) => [Buffer.from(name), ...bytesOf(child)])
}
