import {
  CorruptValueError,
  InvalidOptionError,
  StoreError,
  type StoreErrorContext,
  StoreUnavailableError,
} from '../core/errors.js'
import { describeConnectionError, type ServerLink } from '../core/server-link.js'

const DUPLICATE_KEY = 11000

/** What the server's error codes mean. */
const REASONS: Readonly<Record<number, string>> = {
  13: 'the user may not do this; it needs the role readWrite on the database',
  18: 'it refused the user or the password',
  50: 'it took longer than it was given',
  64: 'too few servers have confirmed the write within "wtimeoutMS"',
  79: 'no server has the tags of the write concern',
  100: 'the replica set has too few servers for the write concern',
  91: 'it is shutting down',
  189: 'the primary has stepped down',
  10107: 'this server is not the primary',
  11600: 'it is shutting down',
  11602: 'the primary has stepped down',
  13435: 'this server is not the primary',
  14031: 'its disk is full',
}

/** What the names of the driver's errors mean. */
const WRONG_SET = 'no server there belongs to the replica set that "replicaSet" names'

/** The server answers, and the driver asks it nothing more, without an error. */
export class WrongSetError extends Error {
  override readonly name = 'WrongSetError'
}

const DRIVER_REASONS: Readonly<Record<string, string>> = {
  WrongSetError: WRONG_SET,
  MongoNetworkTimeoutError: 'no connection came about in time, or it did not answer',
  MongoNetworkError: 'the connection was cut',
  MongoPoolClearedError: 'the connection was cut',
  MongoServerSelectionError: 'no primary was found in time',
  MongoWaitQueueTimeoutError: 'no connection of the pool became free in time ("maxPoolSize")',
  MongoTopologyClosedError: 'the client was closed',
  MongoNotConnectedError: 'the client was closed',
  MongoClientClosedError: 'the client was closed',
  MongoMissingDependencyError: 'a package that its options need is not installed',
}

interface DriverError {
  name?: string
  code?: number | string
  codeName?: string
  writeErrors?: { index: number; code: number } | { index: number; code: number }[]
  result?: { getWriteConcernError?(): unknown }
  cause?: unknown
}

/**
 * Wraps the error of a call to MongoDB, once. Errors of the server and of bulks quote documents and their `_id`, which
 * holds the session and the key: the cause keeps only their name and code.
 */
export function toStoreError(error: unknown, link?: ServerLink): StoreError {
  if (error instanceof StoreError) return error
  const met = isDuplicate(error) ? indexOf(error) : undefined
  if (met !== undefined && met !== '_id_') return new ForeignIndexError(met, { cause: redact(error) })
  const { code, codeName } = error as DriverError
  if (isBadBson(error)) {
    return new CorruptValueError('A document in MongoDB cannot be read: it is no valid BSON.', {
      cause: redact(error),
    })
  }
  const ofServer =
    typeof code === 'number' ? (REASONS[code] ?? `it answered with the error ${code}`) : undefined
  const known = ofServer && codeName ? `${ofServer} (${codeName})` : ofServer
  const reason = known ?? describeConnectionError(error) ?? link?.reason ?? reasonOf(error, link?.doubt)
  const cause = redact(error)
  return link?.toOutage(`${reason}.`, cause) ?? new StoreUnavailableError('MongoDB', `${reason}.`, { cause })
}

/** Whether the driver could not read a document. */
export function isBadBson(error: unknown): boolean {
  return (error as DriverError | undefined)?.name === 'BSONError'
}

/** The reason by the error's name. The deepest known cause says most. `doubt`: if no server has answered yet. */
export function reasonOf(error: unknown, doubt?: string): string {
  const errors: Error[] = []
  for (let found: unknown = error; found instanceof Error; found = found.cause) errors.unshift(found)
  const known = errors.find(({ name }) => Object.hasOwn(DRIVER_REASONS, name))
  if (known === undefined) return `the driver failed with ${errors.at(-1)?.name ?? 'an error'}`
  const reason =
    reasonOfSelection(known as Error & SelectionError, doubt) ?? (DRIVER_REASONS[known.name] as string)
  return doubt && known.name.startsWith('MongoNetwork') ? `${reason}; ${doubt}` : reason
}

interface SelectionError {
  reason?: { setName?: string | null; servers?: ReadonlyMap<string, { type: string; error: unknown }> }
}

/** What the driver knew of the servers when it found no primary. */
function reasonOfSelection(error: SelectionError, doubt: string | undefined): string | undefined {
  const { setName, servers } = error.reason ?? {}
  if (servers === undefined) return undefined
  if (servers.size === 0 && setName) return WRONG_SET
  const known = [...servers.values()]
  const isSilent = known.every(server => server.type === 'Unknown' && !server.error)
  return isSilent ? `it has not answered${doubt ? `; ${doubt}` : ''}` : undefined
}

/** A foreign unique index keeps documents out of the collection. */
export class ForeignIndexError extends InvalidOptionError {
  constructor(index: string | undefined, context: StoreErrorContext) {
    const name = index === undefined ? 'A unique index' : `The unique index "${index}"`
    super(
      `${name} of the collection keeps MongoDB from storing documents of this library. The write has not been ` +
        'acknowledged. Drop the index, or give the library a collection of its own ("collection").',
      context,
    )
    this.name = 'InvalidOptionError'
  }
}

/** The name of the index that refused a document. The rest of the server's text quotes the document. */
export function indexOf(error: unknown): string | undefined {
  return indexesOf(error)[0]
}

/** The same for each refused operation of a bulk. */
export function indexesOf(error: unknown): (string | undefined)[] {
  const { message = '', writeErrors } = error as { message?: string; writeErrors?: unknown }
  const errors = [writeErrors ?? []].flat() as { errmsg?: string }[]
  const texts = errors.length === 0 ? [message] : errors.map(({ errmsg = '' }) => errmsg)
  return texts.map(text => (/index: ([^\s{}]{1,128})/.exec(text) ?? /Index '([^']{1,128})'/.exec(text))?.[1])
}

export function isDuplicate(error: unknown): boolean {
  return (error as DriverError).code === DUPLICATE_KEY
}

/** Whether the server has answered with a refusal. */
export function isOfServer(error: unknown): error is { code: number; codeName?: string } {
  return typeof (error as DriverError).code === 'number'
}

/** No such collection, no right to look at it, or no such command: the store cannot see what is there. */
const HIDDEN = new Set([13, 26, 59, 115, 238, 8000])

/** Returns `fallback` if the server does not show the answer. Throws an outage, which says nothing of what is there. */
export function unlessHidden<T>(answer: Promise<T>, fallback: T): Promise<T> {
  return answer.catch(error => {
    if (isOfServer(error) && HIDDEN.has(error.code)) return fallback
    throw error
  })
}

/** The operations of a bulk that met an existing document; `undefined` if the bulk also failed in another way. */
export function duplicatesOf(error: unknown): number[] | undefined {
  const { writeErrors, result } = error as DriverError
  const errors = writeErrors === undefined ? [] : [writeErrors].flat()
  const isAll = errors.length > 0 && errors.every(({ code }) => code === DUPLICATE_KEY)
  // The write concern has not confirmed the other operations yet.
  return isAll && !result?.getWriteConcernError?.() ? errors.map(({ index }) => index) : undefined
}

/** Errors of the network and of server selection name hosts only, so they are kept. */
function redact(error: unknown): Error {
  const { name = 'Error', code, codeName } = error as DriverError
  if (/^Mongo(Network|ServerSelection|TopologyClosed|WaitQueue|PoolCleared)/.test(name)) return error as Error
  const bare = new Error([codeName ?? name, code].filter(part => part !== undefined).join(' '))
  bare.name = name
  const frames = /\n {4}at [\s\S]*/.exec((error as Error).stack ?? '')?.[0] ?? ''
  bare.stack = `${name}: ${bare.message}${frames}`
  return bare
}
