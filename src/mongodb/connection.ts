import { InvalidOptionError } from '../core/errors.js'
import { AuthCollection } from './auth-collection.js'
import type { CollectionOptions, MongoClient, WriteConcern } from './client.js'

/** On a standalone server `journal` is what a kill of it must not lose. */
const SAFEST: WriteConcern = { w: 'majority', journal: true }

/** Settings of a client that would change what is written or what is read. */
const PINNED: Omit<CollectionOptions, 'writeConcern'> = {
  // A secondary lags behind: what it answers may be older than what has been acknowledged.
  readPreference: 'primary',
  // The primary's newest: with "majority" a write with `w: 1` would not be found by its own process, and a
  // compare-and-set would be decided on a head that it cannot match. "available" reads what has left a shard.
  readConcern: { level: 'local' },
  bsonRegExp: false,
  enableUtf8Validation: true,
  fieldsAsRaw: {},
  ignoreUndefined: false,
  promoteBuffers: true,
  promoteValues: true,
  promoteLongs: true,
  raw: false,
  serializeFunctions: false,
  useBigInt64: false,
}

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
    this.#writeConcern = toWriteConcern(client.options.writeConcern ?? {})
    if (this.#writeConcern.w === 0) {
      throw new InvalidOptionError('"w" must not be 0: a write that nobody waits for may be lost unseen.')
    }
  }

  /** Shared by all stores on the same collection. */
  collectionOf(databaseName: string, name: string): AuthCollection {
    const key = JSON.stringify([databaseName, name])
    const known = this.#collections.get(key)
    if (known !== undefined) return known
    const options = { ...PINNED, writeConcern: this.#writeConcern }
    const database = this.client.db(databaseName, options)
    const documents = database.collection(name, options)
    const opened = new AuthCollection({ client: this.client, database, documents, name })
    this.#collections.set(key, opened)
    return opened
  }

  close(): Promise<void> {
    return this.client.close()
  }
}

/** A URL that says `journal` or `wtimeoutMS` alone has not asked for less than a majority. */
function toWriteConcern({ w, journal, wtimeoutMS }: WriteConcern): WriteConcern {
  return {
    w: w ?? SAFEST.w,
    journal: journal ?? SAFEST.journal,
    ...(wtimeoutMS !== undefined && { wtimeoutMS }),
  }
}
