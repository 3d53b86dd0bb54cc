import { InvalidKeyError, InvalidOptionError } from '../errors.js'
import { readGiven } from '../input/read-given.js'
import { showName, showUnlessText } from '../input/shown-values.js'
import { isTable } from '../is-object.js'
import { checkKeyId, isOwner, OWNER_TEXT } from '../names.js'

const MAX_PAGE_SIZE = 1000
/** Most sessions of one batch: a longer list is a sparse one, or a mistake. */
const MAX_SESSIONS = 100_000
const MAX_CURSOR_LENGTH = 16 * 1024
/** Stored versions and tokens are below this, so a sum of two is still a safe integer. */
export const MAX_COUNT = 2 ** 52
/** Versions and tokens given by callers are below this, so that later additions stay below `MAX_COUNT`. */
export const MAX_GIVEN_COUNT = 2 ** 51

/** Stored versions and tokens above this are damage: a session could come to the limits above by its writes. */
export const MAX_STORED_COUNT = MAX_GIVEN_COUNT - 2 ** 40
/** Tokens are milliseconds since the epoch, and no clock is as late. */
const MAX_LIKELY_TOKEN = 2 ** 50

/**
 * `memory` knows the highest token that was handed out. A store keeps the highest token that it is given, so one that no
 * claim has handed out could leave it without a next one.
 */
export function checkConditions(
  sessionId: string,
  expectedVersion: unknown,
  fencingToken: unknown,
  memory: { fence(sessionId: string): number },
): void {
  if (expectedVersion !== undefined) checkCount('expectedVersion', expectedVersion, sessionId)
  if (fencingToken === undefined) return
  checkCount('fencingToken', fencingToken, sessionId)
  const token = fencingToken as number
  if (token > MAX_LIKELY_TOKEN && token > memory.fence(sessionId))
    fail('fencingToken', 'the token of a claim', fencingToken, sessionId)
}

/** For calls that need a token: without one, any caller would count as the owner. */
export function checkToken(sessionId: string, fencingToken: unknown): void {
  checkCount('fencingToken', fencingToken, sessionId)
}

/** Returns the ids as they are now: the caller may change the list. */
export function readIds(ids: unknown, type: string, sessionId: string): string[] {
  const toError = (found: string, cause?: Error) =>
    new InvalidKeyError(`The ids of type "${type}" must be a list, got ${found}.`, { sessionId, cause })
  return readGiven(
    () => {
      if (!Array.isArray(ids)) throw toError(describe(ids))
      return Array.from(ids, id => {
        checkKeyId(id, type, sessionId)
        return id
      })
    },
    cause => toError('one that throws when it is read', cause),
  )
}

export function checkTtl(ttlSeconds: unknown): void {
  if (typeof ttlSeconds === 'number' && ttlSeconds >= 0) return
  fail('ttlSeconds', 'a number of seconds, 0 or Infinity', ttlSeconds)
}

export function checkLimit(limit: unknown, name = 'limit'): void {
  if (Number.isInteger(limit) && (limit as number) >= 1 && (limit as number) <= MAX_PAGE_SIZE) return
  fail(name, `a whole number from 1 to ${MAX_PAGE_SIZE}`, limit)
}

export function checkCursor(cursor: unknown): void {
  if (cursor === undefined || cursor === null) return
  if (typeof cursor === 'string' && cursor !== '' && cursor.length <= MAX_CURSOR_LENGTH) return
  fail('cursor', 'that of an earlier page', cursor)
}

/** An owner's label: it is shown in messages, and stored in the clear. */
export function checkOwner(name: string, value: unknown): void {
  if (isOwner(value)) return
  fail(name, `a text of ${OWNER_TEXT}`, value)
}

export function checkDuration(name: string, value: unknown): void {
  if (typeof value === 'number' && value >= 0) return
  fail(name, 'a number of milliseconds of 0 or more', value)
}

export function checkFlag(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') fail(name, 'true or false', value)
}

/**
 * Returns the known members of an object. Refuses unknown ones unless `ignoresOthers`: each is a mistake for a known
 * one, and would have no effect.
 */
export function readMembers<T extends object>(
  name: string,
  given: T,
  known: readonly (keyof T & string)[],
  { ignoresOthers = false } = {},
): T {
  return readGiven(
    () => {
      if (!isTable(given)) fail(name, 'an object', given)
      const unknown = Object.keys(given).find(member => !known.some(other => other === member))
      if (unknown !== undefined && !ignoresOthers) {
        throw new InvalidOptionError(
          `"${name}" has "${showName(unknown)}", which is not known; it takes ${known.join(', ')}.`,
        )
      }
      return Object.fromEntries(known.map(member => [member, given[member]])) as T
    },
    cause => new InvalidOptionError(`"${name}" throws when it is read.`, { cause }),
  )
}

/** Returns the members of a list of sessions as they are now. */
export function readList<T>(name: string, list: readonly T[]): T[] {
  return readGiven(
    () => {
      if (!Array.isArray(list)) fail(name, 'a list', list)
      if (list.length > MAX_SESSIONS) fail(name, `a list of at most ${MAX_SESSIONS}`, list.length)
      return Array.from(list)
    },
    cause => new InvalidOptionError(`"${name}" throws when it is read.`, { cause }),
  )
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') fail(name, 'a function', value)
}

function checkCount(name: string, value: unknown, sessionId: string): void {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < MAX_GIVEN_COUNT) return
  fail(name, 'a whole number of 0 or more', value, sessionId)
}

function fail(name: string, expected: string, value: unknown, sessionId?: string): never {
  throw new InvalidOptionError(`"${name}" must be ${expected}, got ${describe(value)}`, { sessionId })
}

/** Shows only the type of texts and objects, which may hold anything. */
function describe(value: unknown): string {
  return value === null ? 'null' : (showUnlessText(value) ?? typeof value)
}
