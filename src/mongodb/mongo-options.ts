import type { MongoClientOptions } from 'mongodb'
import * as v from 'valibot'
import { InvalidOptionError } from '../core/errors.js'
import { type CommonOptions, commonOptions } from '../core/input/options.js'
import { noteUndefined, parseOptions } from '../core/input/parse-options.js'
import { isObject } from '../core/is-object.js'
import type { AuthCollection } from './auth-collection.js'
import type { GivenMongoClient, MongoClient } from './client.js'
import type { MongoConnection } from './connection.js'
import { findUrlFault } from './mongo-url.js'

/** Where MongoDB is, and the options of every store. */
export interface MongoOptions extends CommonOptions {
  /** `mongodb://` or `mongodb+srv://`. Its query overrides the defaults of this library. */
  mongoUrl?: string | undefined
  /**
   * The driver's own options for the pool that the store opens. They override the URL and the defaults. Stores share a pool
   * if the functions and instances of classes in their options are the same ones.
   */
  mongoOptions?: MongoClientOptions | undefined
  /** Instead of `mongoUrl`: a `MongoClient` of mongodb 6 or 7. The store uses it as it is and never closes it. */
  mongoClient?: GivenMongoClient | undefined
  /** Default: the database of the URL, else `baileys`. */
  database?: string | undefined
  /** Default `auth`. Keep it for this library alone. */
  collection?: string | undefined
}

const DEFAULT_DATABASE = 'baileys'
const DEFAULT_COLLECTION = 'auth'

const DATABASE = 'the name of a database: 1 to 63 bytes without / \\ . " $ * < > : | ? and spaces'
const COLLECTION = 'the name of a collection: 1 to 120 characters without $ and not beginning with "system."'

export const databaseName = v.optional(
  v.pipe(v.string(DATABASE), v.regex(/^[^/\\. "$*<>:|?\0]{1,63}$/, DATABASE)),
)
export const collectionName = v.optional(
  v.pipe(v.string(COLLECTION), v.regex(/^(?!system\.)[^$\0]{1,120}$/, COLLECTION)),
)

const schema = v.strictObject(
  {
    ...commonOptions,
    mongoUrl: v.optional(
      v.custom<string>(
        value => findUrlFault(value) === undefined,
        ({ input }) => findUrlFault(input) ?? '',
      ),
    ),
    mongoOptions: v.optional(v.custom<MongoClientOptions>(isObject, "an object of the driver's options")),
    mongoClient: v.optional(v.custom<GivenMongoClient>(isClient, 'a MongoClient of mongodb 6 or 7')),
    database: databaseName,
    collection: collectionName,
  },
  'an object',
)

/** `name`: the member of the hook's options with these options. */
export function parseMongoOptions(options: MongoOptions, name = 'mongodb'): MongoOptions {
  const parsed = parseOptions(schema, options, name)
  const { mongoUrl, mongoClient, mongoOptions } = parsed
  if (mongoUrl === undefined && mongoClient === undefined) {
    throw new InvalidOptionError(
      `${noteUndefined(options, ['mongoUrl', 'mongoClient'])}"${name}" must say where MongoDB is: "mongoUrl", or a client as "mongoClient".`,
    )
  }
  if (mongoClient !== undefined && (mongoUrl !== undefined || mongoOptions !== undefined)) {
    const other = mongoUrl === undefined ? 'mongoOptions' : 'mongoUrl'
    throw new InvalidOptionError(`Give "${name}.mongoClient" or "${name}.${other}", not both.`)
  }
  return parsed
}

export function toCollection(connection: MongoConnection, options: MongoOptions): AuthCollection {
  return connection.collectionOf(...namespaceOf(connection, options))
}

export function namespaceOf(
  connection: MongoConnection,
  { database = connection.databaseOfUrl ?? DEFAULT_DATABASE, collection = DEFAULT_COLLECTION }: MongoOptions,
): [database: string, collection: string] {
  return [database, collection]
}

function isClient(value: unknown): boolean {
  const client = value as Partial<MongoClient> | null
  return ['db', 'connect', 'close'].every(name => typeof client?.[name as keyof MongoClient] === 'function')
}
