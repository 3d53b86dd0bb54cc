import type { AuthPatch, AuthSnapshot } from '../auth-store.js'
import { APP_STATE_TYPE, CREDS_FIELD, type FieldWrite, type StoredField } from '../backend.js'
import type { Codec } from '../codec/codec.js'
import { type Packed, pack } from '../codec/packing.js'
import { InvalidValueError } from '../errors.js'
import { readGiven } from '../input/read-given.js'
import { isTable } from '../is-object.js'
import { checkKeyId, checkKeyType } from '../names.js'
import { asStoredCreds, checkGivenCreds, isPaired } from './creds-shape.js'

const PATCH_MEMBERS = new Set(['creds', 'keys', 'appState'])

export interface EncodedPatch {
  readonly writes: readonly FieldWrite[]
  /** The packed value of each write; `null` deletes. */
  readonly values: readonly (Packed | null)[]
}

/** Patch → bytes. Checks and encodes everything before anything is written. */
export function encodePatch(codec: Codec, sessionId: string, patch: AuthPatch): EncodedPatch {
  return readGiven(
    () => encodeAll(codec, sessionId, patch),
    cause =>
      new InvalidValueError('A member of the patch throws when it is read; nothing was written.', {
        sessionId,
        cause,
      }),
  )
}

function encodeAll(codec: Codec, sessionId: string, patch: AuthPatch): EncodedPatch {
  checkMembers(sessionId, patch)
  const writes: FieldWrite[] = []
  const values: (Packed | null)[] = []
  const encode = (type: string, id: string, value: unknown, pairing?: boolean): void => {
    const name = { sessionId, type, id }
    const packed = value === null || value === undefined ? null : pack(name, value)
    values.push(packed)
    writes.push({ type, id, bytes: packed && codec.seal(name, packed, pairing) })
  }
  if (patch.creds !== undefined) {
    checkGivenCreds(patch.creds, sessionId)
    encode(CREDS_FIELD.type, CREDS_FIELD.id, patch.creds, isPaired(patch.creds))
  }
  for (const [type, values] of Object.entries(patch.keys ?? {})) {
    checkKeyType(type, sessionId)
    for (const [id, value] of Object.entries(values ?? {})) {
      checkKeyId(id, type, sessionId)
      encode(type, id, value)
    }
  }
  for (const [name, value] of Object.entries(patch.appState ?? {})) {
    checkKeyId(name, 'appState', sessionId)
    encode(APP_STATE_TYPE, name, value)
  }
  return { writes, values }
}

/** Values that are decoded without a pause: some milliseconds. */
const SLICE = 256

/**
 * Bytes → snapshot; `undefined` if the creds are missing. Other calls of the process have their turn in between: a session
 * may have tens of thousands of keys.
 */
export async function decodeSnapshot(
  codec: Codec,
  sessionId: string,
  fields: readonly StoredField[],
): Promise<AuthSnapshot | undefined> {
  const byType = new Map<string, [id: string, value: unknown][]>()
  for (const [n, { type, id, bytes }] of fields.entries()) {
    if (n > 0 && n % SLICE === 0) await new Promise(resolve => setImmediate(resolve))
    const entries = byType.get(type) ?? []
    entries.push([id, codec.decode({ sessionId, type, id }, bytes)])
    byType.set(type, entries)
  }
  const creds = byType.get(CREDS_FIELD.type)?.[0]?.[1]
  if (creds === undefined) return undefined
  const appState = byType.get(APP_STATE_TYPE)
  byType.delete(CREDS_FIELD.type)
  byType.delete(APP_STATE_TYPE)
  const keys = Object.fromEntries([...byType].map(([type, entries]) => [type, Object.fromEntries(entries)]))
  const snapshot = { creds: asStoredCreds(creds, sessionId), keys }
  return appState ? { ...snapshot, appState: Object.fromEntries(appState) } : snapshot
}

export function countBytes(values: readonly (Uint8Array | null | undefined)[]): number {
  return values.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0)
}

function checkMembers(sessionId: string, patch: AuthPatch): void {
  if (!isTable(patch)) throw new InvalidValueError('A patch must be an object.', { sessionId })
  const unknown = Object.keys(patch).find(member => !PATCH_MEMBERS.has(member))
  if (unknown !== undefined) {
    throw new InvalidValueError('A patch has "creds", "keys" and "appState", and nothing else.', {
      sessionId,
    })
  }
  for (const member of ['creds', 'keys', 'appState'] as const) {
    if (patch[member] === undefined || isTable(patch[member])) continue
    throw new InvalidValueError(`"${member}" of a patch must be an object; to remove a session, delete it.`, {
      sessionId,
    })
  }
  for (const values of Object.values(patch.keys ?? {})) {
    if (values === undefined || isTable(values)) continue
    throw new InvalidValueError('"keys" of a patch must hold an object of values by id for each type.', {
      sessionId,
    })
  }
}
