import { InvalidOptionError } from '../core/errors.js'
import { ServerLink } from '../core/server-link.js'
import { AuthCollection } from './auth-collection.js'
import {
  addressesOf,
  type CollectionOptions,
  type MongoClient,
  type MongoDatabase,
  type WriteConcern,
} from './client.js'
import { reasonOf, WrongSetError } from './mongo-errors.js'

/** On a standalone server, only `journal` protects a write from a kill of the server. */
const SAFEST: WriteConcern = { w: 'majority', journal: true }

/** Overrides settings of a client that would change what is written or read. */
const PINNED: Omit<CollectionOptions, 'writeConcern'> = {
  // A secondary lags behind: it may not have acknowledged writes yet.
  readPreference: 'primary',
  // Reads the primary's newest state. With "majority", a process would not find its own write with `w: 1`, and the
  // decision for a compare-and-set would use a head that it cannot match. "available" also reads documents that have
  // left a shard.
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

/** One client with its pool, and what the process knows of the collections used through it. */
export class MongoConnection {
  readonly client: MongoClient
  readonly link: ServerLink
  /** The database in the path of the URL. */
  readonly databaseOfUrl: string | undefined
  readonly #writeConcern: WriteConcern
  readonly #collections = new Map<string, AuthCollection>()

  /** Throws `INVALID_OPTION` for a client that does not wait for its writes. */
  constructor(client: MongoClient, databaseOfUrl?: string) {
    this.client = client
    this.link = new ServerLink({ store: 'MongoDB', address: () => addressesOf(client), describe: reasonOf })
    this.databaseOfUrl = databaseOfUrl
    this.#writeConcern = toWriteConcern(client.options.writeConcern ?? {})
    if (this.#writeConcern.w === 0) {
      throw new InvalidOptionError('"w" must not be 0: a write that nobody waits for may be lost unseen.')
    }
  }

  /** Remembers why the driver cannot reach its servers: a call that waits for one gets no reason. */
  watch(): void {
    const { hosts, replicaSet } = this.client.options
    const failed = new Set<string>()
    const noteFailure = (connectionId: string, failure: Error) => {
      failed.add(connectionId)
      if (failed.size >= (hosts?.length ?? 1)) this.link.noteFailure(failure)
    }
    this.client.on?.('serverHeartbeatFailed', ({ connectionId, failure }) =>
      noteFailure(connectionId, failure),
    )
    this.client.on?.('serverHeartbeatSucceeded', ({ connectionId, reply }) => {
      if (replicaSet && reply?.setName !== replicaSet) {
        noteFailure(connectionId, new WrongSetError())
        return
      }
      failed.delete(connectionId)
      this.link.noteConnected()
    })
  }

  /** All stores on the same collection share the result. */
  collectionOf(databaseName: string, name: string): AuthCollection {
    const key = JSON.stringify([databaseName, name])
    const known = this.#collections.get(key)
    if (known !== undefined) return known
    const options = { ...PINNED, writeConcern: this.#writeConcern }
    const database = this.#databaseOf(databaseName, options)
    const documents = database.collection(name, options)
    const opened = new AuthCollection({ client: this.client, link: this.link, database, documents, name })
    this.#collections.set(key, opened)
    return opened
  }

  #databaseOf(name: string, options: CollectionOptions): MongoDatabase {
    try {
      return this.client.db(name, options)
    } catch (cause) {
      throw new InvalidOptionError(
        'The driver refuses the name of the database, in the options or in "mongoUrl".',
        {
          cause,
        },
      )
    }
  }

  close(): Promise<void> {
    return this.client.close()
  }
}

/** A URL with `journal` or `wtimeoutMS` alone has not asked for less than a majority. */
function toWriteConcern({ w, journal, wtimeoutMS }: WriteConcern): WriteConcern {
  return {
    w: w ?? SAFEST.w,
    journal: journal ?? SAFEST.journal,
    ...(wtimeoutMS !== undefined && { wtimeoutMS }),
  }
}
