import {
  CorruptValueError,
  FencedError,
  RewoundError,
  SessionAheadError,
  SessionColdError,
  SessionIncompleteError,
  SessionLockedError,
  StoreError,
  StoreUnavailableError,
  VersionMismatchError,
} from '../core/errors.js'
import type { Guard } from '../core/store.js'
import type { Reply } from './scripts.js'

/** What the first word of Redis's error says. All of them mean that nothing was written. */
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
  NOAUTH: 'it asks for a password; give it in the URL or in the options of the client',
  WRONGPASS: 'it refused the user or the password',
  NOPERM:
    'the user may not run this command; it needs +@hash +@scripting +@keyspace +@connection +time on the keys, ' +
    'and for the hybrid store +set +get, and outbox:* and lock:outbox* among the keys',
}

/** Wraps once what a call to Redis has failed with. The cause's text may quote a command: messages do not. */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const { message, code, name } = error as { message?: string; code?: string; name?: string }
  const word = /^-?([A-Z]+)\b/.exec(message ?? '')?.[1] ?? ''
  if (word === 'WRONGTYPE') {
    return new CorruptValueError('A key of the session is of another type than this library writes.')
  }
  const reason = REASONS[word] ?? (code ? `${name ?? 'Error'} ${code}` : (name ?? 'the client failed'))
  return new StoreUnavailableError('Redis', `${reason}.`, { cause: redact(error) })
}

/** A refusal of a script as the error that it stands for. */
export function toRefusal(sessionId: string, guard: Guard, [, reason, actual]: Reply): StoreError {
  const found = actual as number
  switch (String(reason)) {
    case 'FENCED':
      return new FencedError(guard.fencingToken ?? 0, found < 0 ? undefined : found, { sessionId })
    case 'AHEAD':
      return new SessionAheadError(found, { sessionId })
    case 'COLD':
      return new SessionColdError({ sessionId })
    case 'FULL':
      return new StoreUnavailableError(
        'MongoDB',
        `${found} writes of the session wait for it in the outbox, which is full; nothing was written. ` +
          'Bring MongoDB back, call "reconcileOutbox()", or raise "outbox.maxEntries".',
        { sessionId },
      )
    case 'LOCKED':
      return new SessionLockedError(found, { sessionId })
    case 'REWOUND':
      return new RewoundError(guard.seenVersion ?? 0, found, { sessionId })
    case 'VERSION':
      return new VersionMismatchError(guard.expectedVersion ?? 0, found, { sessionId })
    default:
      return new SessionIncompleteError({ sessionId })
  }
}

/** ioredis hangs the command with all its arguments on its errors: loggers would write them out. */
function redact(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error
  const { command } = error as { command?: unknown }
  if (command !== undefined) Object.defineProperty(error, 'command', { value: undefined, enumerable: false })
  return error
}
