import type { RedisOptions as IoredisOptions } from 'ioredis'
import type { MongoClientOptions } from 'mongodb'
import * as v from 'valibot'
import { InvalidOptionError } from '../core/errors.js'
import { type CommonOptions, commonOptions, flag } from '../core/input/options.js'
import { noteUndefined, parseOptions } from '../core/input/parse-options.js'
import type { GivenMongoClient } from '../mongodb/client.js'
import {
  collectionName,
  databaseName,
  type MongoOptions,
  parseMongoOptions,
} from '../mongodb/mongo-options.js'
import type { GivenRedis } from '../redis/client.js'
import { parseRedisOptions, type RedisOptions } from '../redis/redis-options.js'
import type { QueueAdapter } from './queue.js'

/** The writes that wait in Redis for MongoDB. */
export interface OutboxOptions {
  /** Writes of a session that may wait for MongoDB; more are refused with `STORE_UNAVAILABLE`. Default 10,000. */
  maxEntries?: number | undefined
}

/** Where Redis and MongoDB are, and the options of every store. */
export interface HybridOptions extends CommonOptions {
  /** `redis://`, or `rediss://` for TLS. */
  redisUrl?: string | undefined
  /** ioredis' own options for the connection that the store opens; see the Redis store. */
  redisOptions?: IoredisOptions | undefined
  /**
   * Instead of `redisUrl`: a `Redis` or `Cluster` of ioredis 5 or 6. The store uses it as it is and never closes it.
   */
  redis?: GivenRedis | undefined
  /** Every key in Redis begins with it; default `baileys:auth`. 1 to 200 characters without braces. */
  prefix?: string | undefined
  /** `mongodb://` or `mongodb+srv://`. */
  mongoUrl?: string | undefined
  /** The driver's own options for the pool that the store opens; see the MongoDB store. */
  mongoOptions?: MongoClientOptions | undefined
  /** Instead of `mongoUrl`: a `MongoClient` of mongodb 6 or 7. The store uses it as it is and never closes it. */
  mongoClient?: GivenMongoClient | undefined
  /** Default: the database of the URL, else `baileys`. */
  mongoDatabase?: string | undefined
  /** Default `auth`. Keep it for this library alone. */
  mongoCollection?: string | undefined
  /**
   * Acknowledge a write when Redis has it, and apply it to MongoDB afterwards. Default `false`: the store waits for
   * MongoDB, so that a total loss of Redis loses no write that was acknowledged while MongoDB was up.
   */
  enableWriteBehind?: boolean | undefined
  /**
   * With `enableWriteBehind`: the queue for the jobs that apply writes to MongoDB. Default: this process applies them.
   */
  queue?: QueueAdapter | undefined
  /**
   * Open a session with one of the two databases while the other one is away. Default `false`: the last owner's writes
   * may be in the one that is away, and no process can tell.
   */
  degradedOpen?: boolean | undefined
  /** The writes that wait in Redis for MongoDB. */
  outbox?: OutboxOptions | undefined
}

const ENTRIES = 'a whole number, 1 or more'
/** `parseRedisOptions` and `parseMongoOptions` check these in full. */
const ofParts = v.optional(v.unknown())

const schema = v.strictObject(
  {
    ...commonOptions,
    redisUrl: ofParts,
    redisOptions: ofParts,
    redis: ofParts,
    prefix: ofParts,
    mongoUrl: ofParts,
    mongoOptions: ofParts,
    mongoClient: ofParts,
    mongoDatabase: databaseName,
    mongoCollection: collectionName,
    enableWriteBehind: flag,
    queue: v.optional(v.custom<QueueAdapter>(isQueue, 'an object with add and close')),
    degradedOpen: flag,
    outbox: v.optional(
      v.strictObject(
        { maxEntries: v.optional(v.pipe(v.number(ENTRIES), v.integer(ENTRIES), v.minValue(1, ENTRIES))) },
        'an object',
      ),
    ),
  },
  'an object',
)

export interface ParsedHybridOptions {
  options: HybridOptions
  redis: RedisOptions
  mongo: MongoOptions
}

export function parseHybridOptions(given: HybridOptions): ParsedHybridOptions {
  const options = parseOptions(schema, given, 'hybrid') as HybridOptions
  const { redisUrl, redisOptions, redis, prefix } = options
  // Only what was given: an error tells an option that is `undefined` from one that was left out.
  const ofMongo = Object.fromEntries(
    (['mongoUrl', 'mongoOptions', 'mongoClient'] as const)
      .filter(name => name in options)
      .map(name => [name, options[name]]),
  )
  if (options.queue && !options.enableWriteBehind) {
    throw new InvalidOptionError('"hybrid.queue" needs "hybrid.enableWriteBehind": true.')
  }
  if (redisUrl === undefined && redisOptions === undefined && redis === undefined) {
    throw new InvalidOptionError(
      `${noteUndefined(options, ['redisUrl', 'redis'])}"hybrid" must say where Redis is: "redisUrl", "redisOptions" or a client as "redis".`,
    )
  }
  const { mongoDatabase: database, mongoCollection: collection } = options
  return {
    options,
    redis: parseRedisOptions({ redisUrl, redisOptions, redis, prefix }, 'hybrid'),
    mongo: parseMongoOptions({ ...ofMongo, database, collection }, 'hybrid'),
  }
}

function isQueue(value: unknown): boolean {
  const queue = value as Partial<QueueAdapter> | null
  return typeof queue?.add === 'function' && typeof queue.close === 'function'
}
