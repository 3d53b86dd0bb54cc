import { CodecStore } from '../core/store/codec-store.js'
import { DEFAULT_TTL_SECONDS, toSettings } from '../core/store/store-settings.js'
import { MongoBackend } from './mongo-backend.js'
import { type MongoOptions, parseMongoOptions, toCollection } from './mongo-options.js'
import { openConnection } from './open-connection.js'

/** Many sessions in one collection of MongoDB. Create it with `createMongoStore`. */
export class MongoAuthStore extends CodecStore {}

/**
 * Opens a pool of connections, or shares an open one with the same URL and options. Does not wait for the server: a
 * call that cannot reach it throws `STORE_UNAVAILABLE`. Throws `INVALID_OPTION` and `MISSING_DEPENDENCY`.
 */
export async function createMongoStore(options: MongoOptions): Promise<MongoAuthStore> {
  const parsed = parseMongoOptions(options)
  const settings = await toSettings(parsed, DEFAULT_TTL_SECONDS)
  const { retry, ttlMs, logger } = settings
  const { connection, release } = await openConnection(parsed, retry.timeoutMs)
  const collection = toCollection(connection, parsed)
  const backend = new MongoBackend({ collection, ttlMs, timeoutMs: retry.timeoutMs, logger, release })
  const { memory } = collection
  return new MongoAuthStore({ ...settings, backend, memory })
}
