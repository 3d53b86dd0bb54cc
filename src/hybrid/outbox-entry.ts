import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { APP_STATE_TYPE, CREDS_FIELD, type FieldWrite } from '../core/backend.js'
import { isObject } from '../core/is-object.js'
import { checkKeyId, checkKeyType } from '../core/names.js'
import { MAX_STORED_COUNT } from '../core/store/arguments.js'

const OUTBOX_STATUSES = ['pending', 'processing', 'completed', 'failed'] as const satisfies OutboxStatus[]
export type OutboxStatus = 'pending' | 'processing' | 'completed' | 'failed'

/** An `AuthPatch` as the outbox stores it: each value is its envelope in base64; `null` deletes. */
export interface SealedPatch {
  creds?: string | null | undefined
  keys?: { [type: string]: { [id: string]: string | null } } | undefined
  appState?: { [name: string]: string | null } | undefined
}

/** A write that Redis has taken for MongoDB: a value of the hash `outbox:{<session>}`, under its version. */
export interface OutboxEntry {
  /** `<session>:<version>` */
  id: string
  sessionId: string
  /** Absent for a deletion of the session, which has `deletion` instead. */
  patch?: SealedPatch | undefined
  /** Its own mark: an entry that has lost its patch is damage, and ends no session. */
  deletion?: true | undefined
  version: number
  fencingToken?: number | undefined
  /** `failed`: MongoDB refuses it; it stays for the operator to inspect. */
  status: OutboxStatus
  /** Milliseconds since the epoch, like the other instants. */
  createdAt: number
  updatedAt: number
  attempts: number
  /** The code of the last error. */
  lastError?: string | undefined
  completedAt?: number | undefined
  /** Tells this write from another one that has taken the same version after a failover. */
  operationId: string
  /** Whether the session began with this write. */
  begins?: boolean | undefined
  /** Set for a heal, after both databases have gone back in time: the session continues from version `at` of `from`. */
  fork?: { from: string; at: number } | undefined
}

/** Most bytes of an entry's text; no write of this library is larger. */
export const MAX_ENTRY_BYTES = 32 * 1024 * 1024
/**
 * Most values of one write. A larger foreign entry (twice as many, with its types) would block the process for too
 * long.
 */
export const MAX_ENTRY_FIELDS = 50_000
/** A TTL of a hundred years from then ends before the last instant that JavaScript knows. */
const MAX_INSTANT_MS = 8.63e15
/** core/store/operation-ids.ts stores one id a line. Ids of forks and alignments have additional characters. */
const OPERATION_ID = /^[\w.+-]{1,128}$/
const END_BYTES = 4096
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const operationId = v.pipe(v.string(), v.regex(OPERATION_ID))
/** Writes past Redis raise a version by 2^20 each; no version gets above this. */
const given = v.pipe(count, v.maxValue(MAX_STORED_COUNT))
const instant = v.pipe(count, v.maxValue(MAX_INSTANT_MS))
/** `v.record` leaves out keys like "constructor". */
const leaves = v.custom<Record<string, string | null>>(isLeaves)
const leavesByType = v.custom<Record<string, Record<string, string | null>>>(
  value =>
    isMap(value) &&
    Object.entries(value).every(([type, ofType]) => passes(() => checkKeyType(type, '')) && isLeaves(ofType)),
)

const schema = v.object({
  id: v.string(),
  sessionId: v.string(),
  patch: v.optional(
    v.pipe(
      v.custom<SealedPatch>(hasFewFields),
      v.object({
        creds: v.optional(v.custom<string | null>(isLeaf)),
        keys: v.optional(leavesByType),
        appState: v.optional(leaves),
      }),
    ),
  ),
  deletion: v.optional(v.literal(true)),
  version: v.pipe(given, v.minValue(1)),
  fencingToken: v.optional(given),
  status: v.picklist(OUTBOX_STATUSES),
  createdAt: instant,
  updatedAt: instant,
  attempts: count,
  lastError: v.optional(v.string()),
  completedAt: v.optional(instant),
  operationId,
  begins: v.optional(v.boolean()),
  fork: v.optional(v.object({ from: operationId, at: given })),
})

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

/** Whether the name of a field of the outbox is a version as the scripts write it, and not "01", "1e3" or 2^60. */
export function isVersion(name: string): boolean {
  return /^[1-9]\d{0,15}$/.test(name) && Number(name) <= MAX_STORED_COUNT
}

/** A text that only the entry of this operation contains. */
export function toMark(operationId: string): string {
  return `"operationId":${JSON.stringify(operationId)}`
}

/**
 * The digest of an entry's text, as `digestOf` of session.lua computes it: of both ends, which hold its time and its
 * writer.
 */
export function toDigest(text: string | Buffer): string {
  const bytes = Buffer.from(text as string)
  const ends = [bytes.subarray(0, END_BYTES), bytes.subarray(-END_BYTES), Buffer.from(`${bytes.length}`)]
  return createHash('sha1').update(Buffer.concat(ends)).digest('hex')
}

/**
 * `undefined` for an entry of another session or version, for a malformed one, and for one that its mark would not
 * find.
 */
export function parseEntry(json: string, sessionId: string, version: number): OutboxEntry | undefined {
  try {
    const entry = v.parse(schema, JSON.parse(json))
    const isOurs = entry.id === `${sessionId}:${version}` && entry.sessionId === sessionId
    const isOneOfTwo = (entry.patch === undefined) === (entry.deletion === true)
    const isSound = isOurs && isOneOfTwo && entry.version === version
    return isSound && json.includes(toMark(entry.operationId)) ? entry : undefined
  } catch {
    return undefined
  }
}

export function seal(writes: readonly FieldWrite[]): SealedPatch {
  const keys = new Map<string, [id: string, sealed: string | null][]>()
  const appState: [name: string, sealed: string | null][] = []
  let creds: string | null | undefined
  for (const { type, id, bytes } of writes) {
    const leaf = bytes === null ? null : Buffer.from(bytes).toString('base64')
    if (type === CREDS_FIELD.type) creds = leaf
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
  }
}

export function unseal({ creds, keys = {}, appState = {} }: SealedPatch): FieldWrite[] {
  const ofKeys = Object.entries(keys).flatMap(([type, leaves]) =>
    Object.entries(leaves).map(([id, leaf]) => ({ type, id, bytes: toBytes(leaf) })),
  )
  const ofAppState = Object.entries(appState).map(([id, leaf]) => ({
    type: APP_STATE_TYPE,
    id,
    bytes: toBytes(leaf),
  }))
  const first = creds === undefined ? [] : [{ ...CREDS_FIELD, bytes: toBytes(creds) }]
  return [...first, ...ofKeys, ...ofAppState]
}

function toBytes(leaf: string | null): Buffer | null {
  return leaf === null ? null : Buffer.from(leaf, 'base64')
}
