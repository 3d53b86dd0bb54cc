import type { StoredCreds } from '../auth-store.js'
import { CREDS_FIELD } from '../backend.js'
import type { Codec } from '../codec/codec.js'
import { reviveBytes } from '../codec/value-tree.js'
import { CorruptValueError, InvalidValueError, SessionIncompleteError } from '../errors.js'
import { isObject, isPlainObject } from '../is-object.js'

/** Bytes of a Curve25519 key, without its type byte. */
const KEY_BYTES = 32

/** The members of the creds that Baileys needs, each with a check. */
const NEEDED: Readonly<Record<string, (member: unknown) => boolean>> = {
  noiseKey: isKeyPair,
  signedIdentityKey: isKeyPair,
  signedPreKey: member => isObject(member) && isKeyPair(member.keyPair),
  registrationId: Number.isSafeInteger,
}

/** Checks the creds of a patch: they must be restored as an object. */
export function checkGivenCreds(creds: object, sessionId: string): void {
  const isTurned = 'toJSON' in creds || creds instanceof Date || creds instanceof Uint8Array
  if (!isTurned && reviveBytes(creds as StoredCreds) === undefined) return
  throw new InvalidValueError('"creds" of a patch must come back as an object, and would not.', { sessionId })
}

/** Stands in for the creds until an import has ended. */
export const UNFINISHED_IMPORT = { isUnfinishedImport: true } as const

/** Reads the creds of a session that exists. */
export function decodeCreds(codec: Codec, sessionId: string, bytes: Uint8Array | undefined): StoredCreds {
  if (bytes === undefined) throw new SessionIncompleteError({ sessionId })
  return asStoredCreds(codec.decode({ sessionId, ...CREDS_FIELD }, bytes), sessionId)
}

/** The stored creds. Anything but an object is damage, and never means a new session. */
export function asStoredCreds(creds: unknown, sessionId: string): StoredCreds {
  if (isPlainObject(creds)) {
    if (creds.isUnfinishedImport !== true) return creds
    throw SessionIncompleteError.ofUnfinishedImport({ sessionId })
  }
  throw new CorruptValueError('The creds of the session are no object.', { sessionId })
}

/** Whether the creds name an account. With a pairing code, Baileys names it as soon as the code is asked for. */
export function isPaired({ me, registered }: { me?: unknown; registered?: unknown }): boolean {
  return isObject(me) || registered === true
}

/** Throws for creds that Baileys could not use. */
export function checkUsable(creds: StoredCreds, sessionId: string): void {
  const fault = findFault(creds)
  if (fault === undefined) return
  throw new CorruptValueError(`The creds of the session are damaged: "${fault}" is not what Baileys needs.`, {
    sessionId,
  })
}

/** Throws for creds that are about to be saved, and could not be opened again. */
export function checkSavable(creds: unknown, sessionId: string): void {
  const fault = isObject(creds) ? findFault(creds) : 'state.creds'
  if (fault === undefined) return
  throw new InvalidValueError(
    `These creds are not Baileys' creds: "${fault}" is not what it must be; nothing was written.`,
    { sessionId },
  )
}

function findFault(creds: StoredCreds): string | undefined {
  return Object.keys(NEEDED).find(member => !NEEDED[member]?.(creds[member]))
}

function isKeyPair(member: unknown): boolean {
  return isObject(member) && isKey(member.public) && isKey(member.private)
}

function isKey(key: unknown): boolean {
  return ArrayBuffer.isView(key) && key.byteLength >= KEY_BYTES
}
