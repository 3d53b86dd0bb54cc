import type { Guard } from '../core/backend.js'
import {
  CorruptValueError,
  FencedError,
  hasCode,
  RewoundError,
  SessionIncompleteError,
  SessionLockedError,
  StoreError,
  StoreUnavailableError,
  VersionMismatchError,
} from '../core/errors.js'
import { maskSessionId, maskText } from '../core/masking.js'
import { describeConnectionError, type ServerLink } from '../core/server-link.js'
import { SessionAheadError, SessionColdError } from './protocol-errors.js'
import { toInteger } from './replies.js'
import type { Reply } from './scripts.js'

/** What the first word of Redis' error means. With all of them, nothing was written. */
const REASONS: Readonly<Record<string, string>> = {
  LOADING: 'it is loading its data after a start',
  READONLY: 'this server is a replica, as after a failover',
  MASTERDOWN: 'the replica has lost its master',
  CLUSTERDOWN: 'the cluster does not serve this slot now',
  MOVED: 'the slot has moved and the client did not find it',
  ASK: 'the slot is moving and the client did not follow it',
  TRYAGAIN: 'the slot is moving to another node',
  BUSY: 'it is busy with a script',
  OOM: 'it is out of memory ("maxmemory"), and evicts nothing; give it more memory',
  MISCONF: 'it cannot save to its disk and refuses writes; see its log',
  NOREPLICAS: 'too few replicas are connected for it to take writes ("min-replicas-to-write")',
  CROSSSLOT: 'keys of one session are in several slots: the client must not change their names',
  NOSCRIPT: 'it has forgotten a script between two commands; is a proxy between two servers?',
  NOAUTH: 'it asks for a password; give it in the URL or in the options of the client',
  WRONGPASS: 'it refused the user or the password',
  NOPERM:
    'the user may not run this command; it needs +@hash +@scripting +@keyspace +@connection +time on the keys that begin ' +
    'with the "prefix" of the store, ' +
    'and for the hybrid store +set +get, and outbox:* and lock:outbox* among the keys',
}

/** Errors of ioredis itself. They come back with every call until the client is replaced. */
const CLIENT_REASONS: readonly (readonly [text: RegExp, reason: string])[] = [
  [
    /^Connection is closed/,
    'the client has ended: by "quit", "disconnect", or a "retryStrategy" that gave up',
  ],
  [/^Command timed out/, 'the "commandTimeout" of the client ended the command'],
  [/enableOfflineQueue/, 'the client has no connection now, and "enableOfflineQueue" is false'],
  [
    /refresh slots cache/,
    'no node of the Cluster tells the client which has which slot: none can be reached, or the user of an ACL needs +cluster|slots +cluster|info',
  ],
  [
    /^Protocol error|Unknown RESP type/,
    'what listens there does not speak as Redis does; correct the host and the port',
  ],
  [
    /sentinel .* (?:invalid reply|because ERR No such master)/,
    'the Sentinel knows no master of the name that "name" in "redisOptions" gives',
  ],
  [/^failed to connect to sentinel .* because ERR unknown command/, 'what listens there is no Sentinel'],
  [/^failed to connect to sentinel .* because Command timed out/, 'the Sentinel has not answered'],
  [
    /^failed to connect to sentinel .* because Connection is closed/, // ioredis does not tell which of the two
    'it cannot be connected to: nothing listens there, or there is no host of that name',
  ],
  [
    /^ERR unknown command/,
    'it does not know a command of this library; a Sentinel goes into "redisOptions.sentinels", and Redis has to be 6.2 or later',
  ],
  [/subscriber mode/, 'the client is subscribed to channels; give the store a client of its own'],
  [/monitoring mode/, 'the client is in monitor mode; give the store a client of its own'],
  [/^ACL failure in script|^ERR ACL failure in script|can't run this command/, REASONS.NOPERM as string],
]

const OTHER_TYPE = 'A key of the session in Redis is of another type than this library writes.'

/**
 * Wraps the error of a call to Redis, once. For a lost connection, ioredis only tells its number of attempts; `link`
 * knows the reason. The cause's text may quote a command: messages do not.
 */
export function toStoreError(error: unknown, link?: ServerLink): StoreError {
  if (error instanceof StoreError) return error
  const { message = '', code, name = 'Error' } = error as Partial<NodeJS.ErrnoException>
  if (wordOf(message) === 'WRONGTYPE') return new CorruptValueError(OTHER_TYPE)
  const known = reasonOf(error)
  const reason =
    known ?? link?.reason ?? ofReply(name, message) ?? ofName(name) ?? (code ? `${name} ${code}` : name)
  const cause = redact(known === undefined ? (link?.cause ?? error) : error)
  return link?.toOutage(`${reason}.`, cause) ?? new StoreUnavailableError('Redis', `${reason}.`, { cause })
}

/** After a connection that ended without an error, ioredis only tells that it has tried often enough. */
function ofName(name: string): string | undefined {
  return name === 'MaxRetriesPerRequestError'
    ? 'it closes each connection before it answers; it may want TLS, or something else may listen there'
    : undefined
}

/** The first word of an answer that is not known here. The rest may quote what was sent. */
function ofReply(name: string, message: string): string | undefined {
  const word = wordOf(message)
  return name === 'ReplyError' && word !== '' && word.length <= 20
    ? `it has answered with the error ${word}`
    : undefined
}

/** The reason in the error itself: the server's, the client's, or the connection's. */
export function reasonOf(error: unknown): string | undefined {
  const { message = '' } = error as Partial<Error>
  const ofClient = CLIENT_REASONS.find(([pattern]) => pattern.test(message))?.[1]
  return REASONS[wordOf(message)] ?? describeConnectionError(error) ?? ofClient
}

export function isOfSentinels({ message }: Error): boolean {
  return message.startsWith('All sentinels are unreachable')
}

/** ioredis reports this only for a client that nobody has closed. */
export function isOfEndedAttempt({ message }: Error): boolean {
  return message === 'Connection is closed.'
}

/**
 * The first word of Redis' error. Before Redis 7, an error within a script comes after its place: `ERR Error running
 * script (call to f_…): @user_script:1: @user_script: 1: -READONLY You can't write …`.
 */
export function wordOf(text: string): string {
  return /^(?:ERR Error running script .*@user_script: ?\d+: )?-?([A-Z]+)\b/.exec(text)?.[1] ?? ''
}

/** Rethrows the error. One about stored data names the session, and `key` if no other key can be meant. */
export function about(sessionId: string, error: unknown, key?: string): never {
  if (hasCode(error, 'CORRUPT_VALUE')) throw toOtherType(sessionId, key)
  throw error
}

function toOtherType(sessionId: string, key: string | undefined): CorruptValueError {
  if (key === undefined) return new CorruptValueError(OTHER_TYPE, { sessionId })
  const shown = key.replace(/\{.*\}/s, () => `{${maskSessionId(sessionId)}}`) // a prefix has no braces
  const reason = `The key "${shown}" in Redis is of another type than this library writes.`
  return new CorruptValueError(
    reason,
    { sessionId },
    'delete that key, or the session by "store.delete(sessionId)"',
  )
}

const TORN =
  'The two keys of the session in Redis are of different times, as after a partial restore, or after a copy that was ' +
  'made key by key while the bot was running.'

/** Turns a script's refusal into the error that it stands for. */
export function toRefusal(sessionId: string, guard: Guard, [, reason, actual]: Reply): StoreError {
  const why = String(reason)
  if (why === 'DAMAGED') {
    const isTorn = String(actual) === 'TORN'
    return new CorruptValueError(isTorn ? TORN : `The ${actual} of the session in Redis is damaged.`, {
      sessionId,
    })
  }
  const found = toInteger(actual)
  switch (why) {
    case 'FENCED':
      return new FencedError(guard.fencingToken ?? 0, found < 0 ? undefined : found, { sessionId })
    case 'AHEAD':
      return new SessionAheadError(found, { sessionId })
    case 'COLD':
      return new SessionColdError({ sessionId })
    case 'FULL':
      return new StoreUnavailableError(
        'MongoDB',
        `${found} entries of the session are in its outbox, which is full; nothing was written. ` +
          'Bring MongoDB back, call "reconcileOutbox()", or raise "outbox.maxEntries". What is no write, and what MongoDB ' +
          'refuses, stays there whatever MongoDB does: the log tells of it, and "HDEL" removes it.',
        { sessionId },
      )
    case 'LOCKED':
      return new SessionLockedError(found, { sessionId })
    case 'REWOUND':
      return new RewoundError(guard.seenVersion ?? 0, found, { sessionId })
    case 'VERSION':
      return new VersionMismatchError(guard.expectedVersion ?? 0, found, { sessionId })
    case 'NOTHING':
      return SessionIncompleteError.ofWriteToNothing({ sessionId })
    default:
      return new SessionIncompleteError({ sessionId })
  }
}

/**
 * Hides the command and its arguments: ioredis attaches them to its errors, Redis quotes some of them, and loggers
 * would write them.
 */
function redact(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { message, stack = '' } = error
  const hide = (name: string, value: unknown) =>
    Object.defineProperty(error, name, { value, enumerable: false, configurable: true, writable: true })
  if ('command' in error) hide('command', undefined)
  hide('message', maskText(message))
  hide(
    'stack',
    stack.replace(message, () => maskText(message)),
  )
  return error
}
