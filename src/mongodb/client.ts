/** The part of a `MongoClient` of mongodb 6 or 7 that both lines share: their own types differ. */
export interface GivenMongoClient {
  readonly options: object
  connect(): Promise<unknown>
  db(name?: string): object
  close(): Promise<void>
}

/** What the library calls of a client. */
export interface MongoClient extends GivenMongoClient {
  readonly options: {
    writeConcern?: WriteConcern | undefined
    directConnection?: boolean | undefined
    /** The hosts of the URL. Their `toString` gives an address. */
    hosts?: readonly object[] | undefined
    srvHost?: string | undefined
    replicaSet?: string | undefined
    tls?: boolean | undefined
  }
  /** Optional, since a stand-in for a client may have no events. */
  on?(
    event: 'serverHeartbeatFailed',
    listener: (event: { connectionId: string; failure: Error }) => void,
  ): unknown
  on?(
    event: 'serverHeartbeatSucceeded',
    listener: (event: { connectionId: string; reply?: { setName?: unknown } }) => void,
  ): unknown
  db(name?: string, options?: CollectionOptions): MongoDatabase
}

export interface WriteConcern {
  w?: number | string | undefined
  journal?: boolean | undefined
  wtimeoutMS?: number | undefined
}

export interface MongoDatabase {
  collection(name: string, options: CollectionOptions): MongoCollection
  command(command: object, options?: { readPreference: 'primary' }): Promise<CommandReply>
}

/** What the library reads of the answers to `hello` and `listCollections`. */
export interface CommandReply {
  localTime?: Date
  /** `isdbgrid` if a router (mongos) answers. */
  msg?: string
  isWritablePrimary?: boolean
  /** The replica set of the server, and its members that can become primary. */
  setName?: string
  hosts?: string[]
  cursor?: { firstBatch: CollectionDescription[] }
}

export interface CollectionDescription {
  type?: string
  options?: Readonly<Record<string, unknown>>
}

/** Set for each database and collection, so that a client with other settings gives the same answers. */
export interface CollectionOptions {
  readPreference: 'primary'
  readConcern: { level: 'local' }
  writeConcern: WriteConcern
  bsonRegExp: false
  enableUtf8Validation: true
  fieldsAsRaw: Readonly<Record<string, never>>
  ignoreUndefined: false
  promoteBuffers: true
  promoteValues: true
  promoteLongs: true
  raw: false
  serializeFunctions: false
  useBigInt64: false
}

export type Filter = Readonly<Record<string, unknown>>
export type Update = Readonly<Record<'$set' | '$unset', Readonly<Record<string, unknown>>>>
export interface UpdateOne {
  filter: Filter
  update: Partial<Update>
  upsert?: boolean
}

export interface FindOptions {
  projection?: Readonly<Record<string, 0 | 1>>
  sort?: Readonly<Record<string, 1 | -1>>
  limit?: number
  /** Documents in one answer, whose bytes the server limits. Its default is 101, and another command for the rest. */
  batchSize?: number
}

/** More documents than any answer holds; the server limits an answer by its bytes. */
export const ONE_BATCH = 1_000_000

export interface IndexDescription {
  name: string
  key: Readonly<Record<string, unknown>>
  unique?: boolean
  prepareUnique?: boolean
  hidden?: boolean
  collation?: object
  expireAfterSeconds?: number
  partialFilterExpression?: object
}

export interface MongoCollection {
  find(filter: Filter, options?: FindOptions): { toArray(): Promise<unknown[]> }
  insertOne(document: object): Promise<unknown>
  insertMany(documents: object[]): Promise<unknown>
  updateOne(filter: Filter, update: Partial<Update>): Promise<{ matchedCount: number }>
  updateMany(filter: Filter, update: Partial<Update>): Promise<unknown>
  deleteMany(filter: Filter): Promise<unknown>
  bulkWrite(
    operations: { updateOne: UpdateOne }[],
    options: { ordered: boolean },
  ): Promise<{ matchedCount: number; upsertedCount: number }>
  indexes(): Promise<IndexDescription[]>
  createIndex(key: Readonly<Record<string, 1>>, options: object): Promise<unknown>
}

/** The servers that the client connects to, for errors. */
export function addressesOf({ options: { hosts = [], srvHost, tls } }: MongoClient): string {
  return `${srvHost ?? hosts.map(String).join(', ')}${tls ? ' by TLS' : ''}`
}
