import type { MongoClientOptions } from 'mongodb'
import { ConnectionPool, type Lease } from '../core/connection/connection-pool.js'
import { MissingDependencyError } from '../core/errors.js'
import { digestOptions } from '../core/input/options-digest.js'
import type { GivenMongoClient, MongoClient } from './client.js'
import { MongoConnection } from './connection.js'
import type { MongoOptions } from './mongo-options.js'
import { toRefusal } from './refused-options.js'

const connections = new ConnectionPool<MongoConnection>(connection => connection.close())
/** A given client is one connection, however many stores use it. */
const given = new WeakMap<GivenMongoClient, MongoConnection>()

/** A selection of the server ends before its call does, so that the call's error knows why there is none. */
const SELECTION_PART = 0.8

/** Stores of this process with the same URL and options share one pool. The last one to close closes it. */
export async function openConnection(
  { mongoUrl = '', mongoOptions = {}, mongoClient }: MongoOptions,
  timeoutMs: number,
): Promise<Lease<MongoConnection>> {
  if (mongoClient !== undefined) {
    const connection = given.get(mongoClient) ?? useGiven(mongoClient)
    return { connection, release: async () => {} }
  }
  const options = { ...defaults(mongoUrl, timeoutMs), ...mongoOptions }
  return connections.acquire(digestOptions([mongoUrl, options]), async () =>
    createConnection(mongoUrl, options),
  )
}

/**
 * Limits each wait for a silent server to `timeoutMs`; the store sets the deadline of a call with its retries. The
 * driver's own `timeoutMS` does nothing in 7.8 and 7.9. Leaves out what the URL sets, because options override it.
 */
function defaults(url: string, timeoutMs: number): MongoClientOptions {
  const said = new Set(
    [...(url.split('?')[1] ?? '').matchAll(/([^&=]+)=/g)].map(([, name]) => name?.toLowerCase()),
  )
  const all: MongoClientOptions = {
    appName: 'baileys-store-core',
    connectTimeoutMS: timeoutMs,
    serverSelectionTimeoutMS: Math.ceil(timeoutMs * SELECTION_PART),
    socketTimeoutMS: timeoutMs,
    waitQueueTimeoutMS: timeoutMs,
  }
  return Object.fromEntries(Object.entries(all).filter(([name]) => !said.has(name.toLowerCase())))
}

async function createConnection(url: string, options: MongoClientOptions): Promise<MongoConnection> {
  const Client = await loadDriver()
  const client = construct(Client, url, options)
  const databaseOfUrl = /^[^/]+\/\/[^/]+\/([^?]+)/.exec(url)?.[1]
  const connection = new MongoConnection(client, databaseOfUrl && decodeURIComponent(databaseOfUrl))
  connection.watch()
  return connection
}

function useGiven(client: GivenMongoClient): MongoConnection {
  const connection = new MongoConnection(client as MongoClient)
  connection.watch()
  given.set(client, connection)
  return connection
}

type ConstructClient = new (url: string, options: MongoClientOptions) => unknown

function construct(Client: ConstructClient, url: string, options: MongoClientOptions): MongoClient {
  try {
    return new Client(url, options) as MongoClient
  } catch (error) {
    throw toRefusal(error, url, options)
  }
}

async function loadDriver(): Promise<ConstructClient> {
  try {
    return (await import('mongodb')).MongoClient
  } catch (cause) {
    throw new MissingDependencyError('mongodb', 'The MongoDB store', cause)
  }
}
