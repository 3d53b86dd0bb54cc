import type { RedisOptions as IoredisOptions, Redis } from 'ioredis'
import { ConnectionPool, type Lease } from '../core/connection/connection-pool.js'
import { InvalidOptionError, MissingDependencyError } from '../core/errors.js'
import { digestOptions } from '../core/input/options-digest.js'
import { readGiven } from '../core/input/read-given.js'
import type { GivenRedis, RedisClient } from './client.js'
import { RedisConnection } from './connection.js'
import { checkDatabase, isWrongDatabase, toDatabaseRefusal } from './database-check.js'
import { wordOf } from './redis-errors.js'
import type { RedisOptions } from './redis-options.js'

/** The longest wait between two attempts to connect; short, since calls wait for it. */
const MAX_RECONNECT_MS = 500

const connections = new ConnectionPool<RedisConnection>(connection => connection.close())
/** A given client is one connection, however many stores use it. */
const given = new WeakMap<GivenRedis, RedisConnection>()

/** Stores of this process on the same server share one connection. The last one to close closes it. */
export async function openConnection(
  options: RedisOptions,
  timeoutMs: number,
): Promise<Lease<RedisConnection>> {
  if (options.redis !== undefined) {
    return { connection: given.get(options.redis) ?? useGiven(options.redis), release: async () => {} }
  }
  const { redisUrl, host, port, username, password, db, tls, redisOptions } = options
  const target = { host, port, username, password, db, tls: tls === true ? {} : tls || undefined }
  const clientOptions: IoredisOptions = {
    ...defaults(timeoutMs),
    ...redisOptions,
    ...(dropUndefined(target) as IoredisOptions),
  }
  const name = digestOptions([redisUrl, target, redisOptions, timeoutMs])
  return connections.acquire(name, () => connect(redisUrl, clientOptions))
}

/**
 * Limits each wait for a silent server to `timeoutMs`. A call that waits for a connection fails after two failed
 * attempts, so that calls do not pile up here; the store sets the deadline of a call with its retries.
 */
function defaults(timeoutMs: number): IoredisOptions {
  return {
    lazyConnect: true,
    maxRetriesPerRequest: 1,
    connectTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    retryStrategy: attempt => Math.random() * Math.min(50 * 2 ** attempt, MAX_RECONNECT_MS),
    // The server has become a replica: its name or its Sentinels lead to another one.
    reconnectOnError: error => wordOf(error.message) === 'READONLY',
    failoverDetector: true, // a demoted master acknowledges writes until the client leaves it
  }
}

async function connect(url: string | undefined, options: IoredisOptions): Promise<RedisConnection> {
  const Client = await loadIoredis()
  const made = readGiven(
    () => (url === undefined ? new Client(options) : new Client(url, options)),
    cause => new InvalidOptionError('ioredis refuses these options, as "redisOptions" has them.', { cause }),
  )
  const client = made as unknown as RedisClient
  const connection = new RedisConnection(client)
  connection.watch()
  client.on('error', error => {
    if (!isWrongDatabase(error)) return // each call reports its own failure
    connection.refuse(toDatabaseRefusal(client))
    client.disconnect() // otherwise it would go on in database 0
  })
  return connection
}

function useGiven(client: GivenRedis): RedisConnection {
  const connection = new RedisConnection(client as RedisClient)
  connection.watch()
  checkDatabase(client as RedisClient, refusal => connection.refuse(refusal))
  given.set(client, connection)
  return connection
}

type ConstructRedis = new (...input: [IoredisOptions] | [url: string, IoredisOptions]) => Redis

async function loadIoredis(): Promise<ConstructRedis> {
  try {
    const { Redis } = await import('ioredis')
    return Redis as unknown as ConstructRedis
  } catch (cause) {
    throw new MissingDependencyError('ioredis', 'The Redis store', cause)
  }
}

function dropUndefined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
