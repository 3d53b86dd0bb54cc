import type { RedisOptions as IoredisOptions } from 'ioredis'
import * as v from 'valibot'
import { InvalidOptionError } from '../core/errors.js'
import { type CommonOptions, commonOptions } from '../core/input/options.js'
import { noteUndefined, parseOptions } from '../core/input/parse-options.js'
import { isObject } from '../core/is-object.js'
import type { GivenRedis, RedisClient } from './client.js'
import { checkClient, checkClientOptions } from './client-check.js'
import { findUrlFault } from './redis-url.js'

/** Where Redis is, and the options of every store. */
export interface RedisOptions extends CommonOptions {
  /** `redis://`, or `rediss://` for TLS: user, password, host, port and the number of the database. */
  redisUrl?: string | undefined
  /** Instead of `redisUrl`. Default `localhost`. */
  host?: string | undefined
  /** Default 6379. */
  port?: number | undefined
  /** Of an ACL; default none. */
  username?: string | undefined
  /** Default none. */
  password?: string | undefined
  /** Number of the database; default 0. */
  db?: number | undefined
  /** `true`, or the options of Node's `tls.connect`. Default: none. */
  tls?: boolean | object | undefined
  /**
   * ioredis' own options for the connection that the store opens, including `sentinels` and `name`. They override the
   * defaults of this library; host and port of `redisUrl` override them. Stores share a connection if the functions and
   * instances of classes in their options are the same ones.
   */
  redisOptions?: IoredisOptions | undefined
  /**
   * Instead of all of the above: a `Redis` or `Cluster` of ioredis 5 or 6. The store uses it as it is and never closes
   * it.
   */
  redis?: GivenRedis | undefined
  /** Every key begins with it; default `baileys:auth`. 1 to 200 characters without braces. */
  prefix?: string | undefined
}

const HOST = 'the name of a host; a URL goes into "redisUrl", a port into "port"'
const CLIENT = 'a Redis or Cluster of ioredis 5 or 6; options such as "redisUrl" stand beside it, not in it'
const PREFIX = '1 to 200 characters without { and }'
const text = (what: string) => v.optional(v.pipe(v.string(what), v.minLength(1, what)))
const whole = (what: string, least: number, most: number) =>
  v.optional(v.pipe(v.number(what), v.integer(what), v.minValue(least, what), v.maxValue(most, what)))

const schema = v.strictObject(
  {
    ...commonOptions,
    redisUrl: v.optional(
      v.custom<string>(
        value => findUrlFault(value) === undefined,
        ({ input }) => findUrlFault(input) ?? '',
      ),
    ),
    host: v.optional(v.pipe(v.string(HOST), v.regex(/^([^/\s@:]+|[^/\s@]*:[^/\s@]*:[^/\s@]*)$/, HOST))),
    port: whole('a port, a number from 1 to 65535', 1, 65535),
    username: text('the name of a user'),
    password: text('text'),
    db: whole('the number of a database', 0, 2 ** 31 - 1),
    tls: v.optional(v.custom<boolean | object>(isTls, 'true, false or an object')),
    redisOptions: v.optional(v.custom<IoredisOptions>(isObject, "an object of ioredis' options")),
    redis: v.optional(v.custom<GivenRedis>(isClient, CLIENT)),
    prefix: v.optional(v.pipe(v.string(PREFIX), v.regex(/^[^{}]{1,200}$/, PREFIX))),
  },
  'an object',
)

const OWN_CONNECTION = [
  'redisUrl',
  'host',
  'port',
  'username',
  'password',
  'db',
  'tls',
  'redisOptions',
] as const

/** `name`: the member of the hook's options with these options. */
export function parseRedisOptions(options: RedisOptions, name = 'redis'): RedisOptions {
  const parsed = parseOptions(schema, options, name)
  const given = OWN_CONNECTION.filter(name => parsed[name] !== undefined)
  if (parsed.redis !== undefined) {
    if (given.length > 0)
      throw new InvalidOptionError(`Give "${name}.redis" or "${name}.${given[0]}", not both.`)
    checkClient(parsed.redis, `${name}.redis`)
  } else if (given.length === 0) {
    throw new InvalidOptionError(
      `${noteUndefined(options, ['redisUrl', 'host', 'redis'])}"${name}" must say where Redis is: "redisUrl", "host", "redisOptions" or a client as "redis".`,
    )
  }
  const ofUrl = (['host', 'port'] as const).find(part => parsed[part] !== undefined)
  if (parsed.redisUrl !== undefined && ofUrl !== undefined) {
    throw new InvalidOptionError(`Give "${name}.redisUrl" or "${name}.${ofUrl}", not both.`)
  }
  if (parsed.redisOptions !== undefined) checkClientOptions(parsed.redisOptions, `${name}.redisOptions`)
  return parsed
}

function isTls(value: unknown): boolean {
  return typeof value === 'boolean' || isObject(value)
}

function isClient(value: unknown): boolean {
  const client = value as Partial<RedisClient> | null
  const calls = [client?.hmgetBuffer, client?.defineCommand, client?.disconnect] // a pipeline does not disconnect
  return calls.every(call => typeof call === 'function') && typeof client?.status === 'string'
}
