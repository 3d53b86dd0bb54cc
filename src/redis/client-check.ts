import { InvalidOptionError } from '../core/errors.js'
import { isObject } from '../core/is-object.js'
import { type GivenRedis, isCluster, type RedisClient } from './client.js'

/** Options of ioredis that change a client's answers, or take them from another server. */
interface ClientOptions {
  scaleReads?: unknown
  keyPrefix?: unknown
  readOnly?: unknown
  role?: unknown
  monitor?: unknown
  dropBufferSupport?: unknown
  enableAutoPipelining?: unknown
  stringNumbers?: unknown
  sentinels?: unknown
  name?: unknown
  host?: unknown
  path?: unknown
}

/** Throws `INVALID_OPTION` for options that no store can use. `name`: where they come from. */
export function checkClientOptions(options: object, name: string): void {
  const {
    scaleReads = 'master',
    keyPrefix = '',
    readOnly,
    role,
    monitor,
    dropBufferSupport,
    sentinels,
    name: masterName,
    host,
    path,
  } = options as ClientOptions
  // A replica lags behind its master: it may not have acknowledged writes yet.
  if (scaleReads !== 'master') throw refuse(name, 'scaleReads', 'at "master"', scaleReads)
  if (readOnly === true) throw refuse(name, 'readOnly', 'false: the store reads from masters only', readOnly)
  if (role === 'slave') throw refuse(name, 'role', '"master": the store reads from masters only', role)
  if (typeof keyPrefix !== 'string' || keyPrefix.includes('{')) {
    throw refuse(
      name,
      'keyPrefix',
      'text without "{", which would take the sessions apart in a Cluster',
      typeof keyPrefix,
    )
  }
  if (monitor === true) throw refuse(name, 'monitor', 'false: such a client takes no commands', monitor)
  if (dropBufferSupport === true)
    throw refuse(name, 'dropBufferSupport', 'false: values are bytes', dropBufferSupport)
  if (sentinels !== undefined && sentinels !== null) checkSentinels(sentinels, masterName, name)
  checkHost(host, 'host', name)
  checkHost(path, 'path', name)
}

/** A URL here fits no server, and errors would show it with its password. */
function checkHost(host: unknown, option: string, name: string): void {
  if (typeof host !== 'string' || !/:\/\/|@/.test(host)) return
  throw new InvalidOptionError(
    `"${option}" of "${name}" must be the name of a host, got a URL: give it as "redisUrl", or to the constructor of ioredis.`,
  )
}

/** What ioredis would take for localhost, or refuse without a code. */
function checkSentinels(sentinels: unknown, masterName: unknown, name: string): void {
  const isPlace = (place: unknown) => isObject(place) && ('host' in place || 'port' in place)
  if (!Array.isArray(sentinels) || sentinels.length === 0 || !sentinels.every(isPlace)) {
    throw new InvalidOptionError(
      `"sentinels" of "${name}" must be a list of at least one { host, port }, for each Sentinel one.`,
    )
  }
  for (const place of sentinels) checkHost((place as { host?: unknown }).host, 'sentinels', name)
  if (typeof masterName !== 'string' || masterName === '') {
    throw new InvalidOptionError(
      `"name" of "${name}" must be the name of the master, as the Sentinels know it ("sentinel monitor <name> …").`,
    )
  }
}

/** The same for a client, and more that shows before the first command. */
export function checkClient(given: GivenRedis, name: string): void {
  const client = given as RedisClient
  const { redisOptions, ...own } = (client.options ?? {}) as { redisOptions?: object }
  checkClientOptions({ ...redisOptions, ...own }, name)
  const { enableAutoPipelining, stringNumbers } = { ...redisOptions, ...own } as ClientOptions
  if (isCluster(client) && enableAutoPipelining && stringNumbers) {
    // It takes the text of a slot for the slot, finds no node there, and ends the process (ioredis 5.11 and 6.0).
    throw new InvalidOptionError(
      `A Cluster with "enableAutoPipelining" and "stringNumbers", as "${name}" is, throws where nobody catches: leave one out.`,
    )
  }
  const { subscriber, monitoring } = stateOf(client)
  if (subscriber || monitoring) {
    throw new InvalidOptionError(
      `The client given as "${name}" is subscribed or monitors: give the store one of its own.`,
    )
  }
}

function stateOf(client: RedisClient): { subscriber?: unknown; monitoring?: unknown } {
  const { condition, status } = client as { condition?: { subscriber?: unknown } | null; status: string }
  return { subscriber: condition?.subscriber, monitoring: status === 'monitoring' }
}

function refuse(name: string, option: string, expected: string, found: unknown): InvalidOptionError {
  return new InvalidOptionError(`"${option}" of "${name}" must be ${expected}, got ${String(found)}.`)
}
