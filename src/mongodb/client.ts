/** What a client is known by: a `MongoClient` of mongodb 6 or 7. Their own types differ from line to line. */
export interface GivenMongoClient {
  readonly options: object
  connect(): Promise<unknown>
  db(name?: string): object
  close(): Promise<void>
}

/** What is called of a client. */
export interface MongoClient extends GivenMongoClient {
  readonly options: { writeConcern?: WriteConcern | undefined; dbName?: string | undefined }
  db(name?: string): MongoDatabase
}

export interface WriteConcern {
  w?: number | string | undefined
  journal?: boolean | undefined
}

export interface MongoDatabase {
  collection(name: string, options: CollectionOptions): MongoCollection
  command(command: object, options?: { readPreference: 'primary' }): Promise<CommandReply>
}

/** What is looked at of an answer to `hello`. */
export interface CommandReply {
  localTime?: Date
  /** `isdbgrid` from a router. */
  msg?: string
}

/** Said for each collection, so that a client that was set up otherwise gives the same values. */
export interface CollectionOptions {
  readPreference: 'primary'
  writeConcern: WriteConcern
  promoteBuffers: true
  promoteValues: true
  promoteLongs: true
  useBigInt64: false
  raw: false
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
  sort?: Readonly<Record<string, 1>>
  limit?: number
}

export interface IndexDescription {
  name: string
  key: Readonly<Record<string, unknown>>
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
  bulkWrite(operations: { updateOne: UpdateOne }[], options: { ordered: boolean }): Promise<unknown>
  indexes(): Promise<IndexDescription[]>
  createIndex(key: Readonly<Record<string, 1>>, options: object): Promise<unknown>
}
