import { InvalidOptionError } from '../core/errors.js'
import { AuthCollection } from './auth-collection.js'
import type { MongoClient, WriteConcern } from './client.js'

/** On a standalone server `journal` is what a kill of it must not lose. */
const SAFEST: WriteConcern = { w: 'majority', journal: true }

/** One client with its pool, and what the process knows of the collections that it has reached through it. */
export class MongoConnection {
  readonly client: MongoClient
  /** Named by the path of the URL. */
  readonly databaseOfUrl: string | undefined
  readonly #writeConcern: WriteConcern
  readonly #collections = new Map<string, AuthCollection>()

  /** Throws `INVALID_OPTION` for a client that does not wait for its writes. */
  constructor(client: MongoClient, databaseOfUrl?: string) {
    this.client = client
    this.databaseOfUrl = databaseOfUrl
    this.#writeConcern = client.options.writeConcern ?? SAFEST
    if (this.#writeConcern.w === 0) {
      throw new InvalidOptionError('"w" must not be 0: a write that nobody waits for may be lost unseen.')
    }
  }

  /** Shared by all stores on the same collection. */
  collectionOf(databaseName: string, name: string): AuthCollection {
    const key = JSON.stringify([databaseName, name])
    const known = this.#collections.get(key)
    if (known !== undefined) return known
    const database = this.client.db(databaseName)
    const documents = database.collection(name, {
      // A secondary lags behind: what it answers may be older than what has been acknowledged.
      readPreference: 'primary',
      writeConcern: this.#writeConcern,
      promoteBuffers: true,
      promoteValues: true,
      promoteLongs: true,
      useBigInt64: false,
      raw: false,
    })
    const opened = new AuthCollection(this.client, database, documents)
    this.#collections.set(key, opened)
    return opened
  }

  close(): Promise<void> {
    return this.client.close()
  }
}
