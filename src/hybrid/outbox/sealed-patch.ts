import * as v from 'valibot'
import { APP_STATE_TYPE, CREDS_FIELD, type FieldWrite } from '../../core/backend.js'
import { isObject } from '../../core/is-object.js'
import { checkKeyId, checkKeyType } from '../../core/names.js'
import { NOTE_FIELD } from '../../core/store/trash-note.js'
import { fieldName } from '../../redis/key-names.js'

/** An `AuthPatch` as the outbox stores it: each value is its envelope in base64; `null` deletes. */
export interface SealedPatch {
  creds?: string | null | undefined
  keys?: { [type: string]: { [id: string]: string | null } } | undefined
  appState?: { [name: string]: string | null } | undefined
  /** What the copy of a deleted session says of the deletion. */
  note?: string | null | undefined
}

/** The versions of the fields that a heal has written again, by their names in Redis. */
export type SealedVersions = Readonly<Record<string, number>>

/**
 * Most values of one write. A larger foreign entry (twice as many, with its types) would block the process for too
 * long.
 */
export const MAX_ENTRY_FIELDS = 50_000
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** `v.record` leaves out keys like "constructor". */
const leaves = v.custom<Record<string, string | null>>(isLeaves)
const leavesByType = v.custom<Record<string, Record<string, string | null>>>(
  value =>
    isMap(value) &&
    Object.entries(value).every(([type, ofType]) => passes(() => checkKeyType(type, '')) && isLeaves(ofType)),
)

/** Checks a patch that any process may have written. */
export const sealedPatch = v.pipe(
  v.custom<SealedPatch>(hasFewFields),
  v.object({
    creds: v.optional(v.custom<string | null>(isLeaf)),
    keys: v.optional(leavesByType),
    appState: v.optional(leaves),
    note: v.optional(v.custom<string | null>(isLeaf)),
  }),
)

/** Checks versions that any process may have written. `v.record` would leave out names here as well. */
export const sealedVersions = v.custom<SealedVersions>(
  value =>
    isMap(value) &&
    Object.keys(value).length <= MAX_ENTRY_FIELDS &&
    Object.values(value).every(version => Number.isSafeInteger(version) && version > 0),
)

/** No list: its indexes would be taken for names. */
function isMap(value: unknown): value is object {
  return isObject(value) && !Array.isArray(value)
}

/** Counts the fields before any of them is checked. */
function hasFewFields(patch: unknown): boolean {
  if (!isObject(patch)) return false
  const { keys = {}, appState = {} } = patch as SealedPatch
  if (!isObject(keys) || !isObject(appState)) return false
  const types = Object.values(keys)
  const count = types.reduce(
    (sum, ofType) => sum + 1 + (isObject(ofType) ? Object.keys(ofType).length : 0),
    0,
  )
  return count + Object.keys(appState).length <= 2 * MAX_ENTRY_FIELDS
}

/** Checks the names by core/names.ts: MongoDB's document names are made of them. */
function isLeaves(value: unknown): boolean {
  return (
    isMap(value) &&
    Object.entries(value).every(([id, leaf]) => isLeaf(leaf) && passes(() => checkKeyId(id, '', '')))
  )
}

function passes(check: () => void): boolean {
  try {
    check()
    return true
  } catch {
    return false
  }
}

function isLeaf(value: unknown): boolean {
  return value === null || (typeof value === 'string' && value.length % 4 === 0 && BASE64.test(value))
}

export function seal(writes: readonly FieldWrite[]): SealedPatch {
  const keys = new Map<string, [id: string, sealed: string | null][]>()
  const appState: [name: string, sealed: string | null][] = []
  let creds: string | null | undefined
  let note: string | null | undefined
  for (const { type, id, bytes } of writes) {
    const leaf = bytes === null ? null : Buffer.from(bytes).toString('base64')
    if (type === CREDS_FIELD.type) creds = leaf
    else if (type === NOTE_FIELD.type) note = leaf
    else if (type === APP_STATE_TYPE) appState.push([id, leaf])
    else {
      const ofType = keys.get(type)
      if (ofType) ofType.push([id, leaf])
      else keys.set(type, [[id, leaf]])
    }
  }
  const byType = [...keys].map(([type, leaves]) => [type, Object.fromEntries(leaves)])
  return {
    creds,
    keys: keys.size > 0 ? Object.fromEntries(byType) : undefined,
    appState: appState.length > 0 ? Object.fromEntries(appState) : undefined,
    note,
  }
}

/** The versions of the writes that have one of their own. */
export function sealVersions(writes: readonly FieldWrite[]): SealedVersions | undefined {
  const versions = writes.flatMap(write =>
    write.version === undefined ? [] : [[fieldName(write), write.version] as const],
  )
  return versions.length > 0 ? Object.fromEntries(versions) : undefined
}

export function unseal(patch: SealedPatch, versions: SealedVersions = {}): FieldWrite[] {
  const ofFields = new Map(Object.entries(versions))
  return toWrites(patch).map(write => ({ ...write, version: ofFields.get(fieldName(write)) }))
}

function toWrites({ creds, keys = {}, appState = {}, note }: SealedPatch): FieldWrite[] {
  const ofKeys = Object.entries(keys).flatMap(([type, leaves]) =>
    Object.entries(leaves).map(([id, leaf]) => ({ type, id, bytes: toBytes(leaf) })),
  )
  const ofAppState = Object.entries(appState).map(([id, leaf]) => ({
    type: APP_STATE_TYPE,
    id,
    bytes: toBytes(leaf),
  }))
  const first = creds === undefined ? [] : [{ ...CREDS_FIELD, bytes: toBytes(creds) }]
  const last = note === undefined ? [] : [{ ...NOTE_FIELD, bytes: toBytes(note) }]
  return [...first, ...ofKeys, ...ofAppState, ...last]
}

function toBytes(leaf: string | null): Buffer | null {
  return leaf === null ? null : Buffer.from(leaf, 'base64')
}
