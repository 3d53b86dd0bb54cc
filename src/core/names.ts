import { InvalidKeyError, InvalidSessionIdError } from './errors.js'

/** The name of a value. An encrypted value opens under no other name. */
export interface ValueName {
  sessionId: string
  type: string
  id: string
}

/**
 * Begins the name of a deleted session's copy. DEL, so that copies come behind most sessions where these are sorted, and
 * because every database can store it.
 */
const TRASH_MARK = '\x7f'

/** Longest session id or key id, in UTF-8 bytes. */
const MAX_NAME_BYTES = 1024
/** Longest name of a session in a database: that of a copy. */
export const MAX_STORED_NAME_BYTES = TRASH_MARK.length + MAX_NAME_BYTES
/** Most bytes of a UTF-16 code unit in UTF-8. */
const MAX_BYTES_A_UNIT = 3
const KEY_TYPE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
/** The label of an owner, which messages show. */
const OWNER = /^[^\p{Cc}\p{Cs}]+$/u
export const MAX_OWNER_LENGTH = 128
export const OWNER_TEXT = '1 to 128 characters without control characters'

export function isOwner(label: unknown): label is string {
  return typeof label === 'string' && label.length <= MAX_OWNER_LENGTH && OWNER.test(label)
}

/** The name under which the copy of a deleted session is kept. */
export function toTrashName(sessionId: string): string {
  return TRASH_MARK + sessionId
}

/** The session of which this is the copy; `undefined`: this is the name of a session. */
export function fromTrashName(name: string): string | undefined {
  return name.startsWith(TRASH_MARK) ? name.slice(TRASH_MARK.length) : undefined
}

/** Whether a name found in a database can be a session's, or a copy's. */
export function isStoredName(name: string): boolean {
  return findFault(fromTrashName(name) ?? name) === undefined
}

export function checkSessionId(sessionId: unknown): asserts sessionId is string {
  const isReserved = typeof sessionId === 'string' && fromTrashName(sessionId) !== undefined
  const fault = isReserved
    ? 'it begins with DEL, as only the copies of deleted sessions do'
    : findFault(sessionId)
  if (fault !== undefined) throw new InvalidSessionIdError(fault)
}

/** Types are plain words, like Baileys' own: every store builds its names from them. */
export function checkKeyType(type: unknown, sessionId: string): asserts type is string {
  if (typeof type === 'string' && KEY_TYPE.test(type) && type !== 'creds') return
  throw new InvalidKeyError(
    'A type of key must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and other than "creds".',
    { sessionId },
  )
}

/** Whether a name found in a database can be a key's. */
export function isKeyName({ type, id }: { type: string; id: string }): boolean {
  return KEY_TYPE.test(type) && type !== 'creds' && findFault(id) === undefined
}

export function checkKeyId(id: unknown, type: string, sessionId: string): asserts id is string {
  const fault = findFault(id)
  if (fault === undefined) return
  throw new InvalidKeyError(
    `An id of type "${type}" must be 1 to 1,024 bytes of well-formed text without NUL: ${fault}.`,
    { sessionId },
  )
}

function findFault(name: unknown): string | undefined {
  if (typeof name !== 'string') return `it is ${name === null ? 'null' : `of type ${typeof name}`}`
  if (name === '') return 'it is empty'
  if (name.includes('\0')) return 'it holds a NUL'
  const mayBeLonger = name.length * MAX_BYTES_A_UNIT > MAX_NAME_BYTES
  if (mayBeLonger && Buffer.byteLength(name) > MAX_NAME_BYTES) return 'it is longer'
  // UTF-8 would turn every lone surrogate into the same character.
  if (!name.isWellFormed()) return 'it holds half of a surrogate pair'
  return undefined
}
