import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { APP_STATE_TYPE, CREDS_FIELD, type FieldWrite } from '../core/backend.js'
import { checkKeyId, checkKeyType } from '../core/names.js'
import { MAX_GIVEN_COUNT } from '../core/store/arguments.js'

const OUTBOX_STATUSES = ['pending', 'processing', 'completed', 'failed'] as const satisfies OutboxStatus[]
export type OutboxStatus = 'pending' | 'processing' | 'completed' | 'failed'

/** An `AuthPatch` as it is stored: each value is its envelope in base64; `null` deletes. */
export interface SealedPatch {
  creds?: string | null | undefined
  keys?: { [type: string]: { [id: string]: string | null } } | undefined
  appState?: { [name: string]: string | null } | undefined
}

/** A write that Redis has and MongoDB is to get: a value of the hash `outbox:{<session>}`, under its version. */
export interface OutboxEntry {
  /** `<session>:<version>` */
  id: string
  sessionId: string
  /** Without it, the write is the session's deletion. */
  patch?: SealedPatch | undefined
  version: number
  fencingToken?: number | undefined
  /** `failed`: MongoDB refuses it; it is kept for the operator to look into. */
  status: OutboxStatus
  /** Milliseconds since the epoch, as the other instants. */
  createdAt: number
  updatedAt: number
  attempts: number
  /** Code of the error. */
  lastError?: string | undefined
  completedAt?: number | undefined
  /** Tells it from another write that has taken the same version after a failover. */
  operationId: string
  /** Whether the session began with it. */
  begins?: boolean | undefined
  /** Of a heal, after both databases have gone back in time: the session goes on from version `at` of `from`. */
  fork?: { from: string; at: number } | undefined
}

/** Of an entry's text: more than a write of this library has. */
export const MAX_ENTRY_BYTES = 32 * 1024 * 1024
/** Values of one write: to take more from an entry, twice as many with its types, would hold up the process. */
export const MAX_ENTRY_FIELDS = 50_000
/** A life of a hundred years begins then, and ends before the last instant that JavaScript knows. */
const MAX_INSTANT_MS = 8.63e15
/** As core/store/operation-ids.ts keeps them, one a line; those of a fork and of an alignment have more characters. */
const OPERATION_ID = /^[\w.+-]{1,128}$/
const END_BYTES = 4096
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const operationId = v.pipe(v.string(), v.regex(OPERATION_ID))
/** Above any that can come about: writes past Redis take 2^20 each. */
const given = v.pipe(count, v.maxValue(MAX_GIVEN_COUNT))
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

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Not a list, of which the places would be taken for names. */
function isMap(value: unknown): value is object {
  return isObject(value) && !Array.isArray(value)
}

/** Counted before each is looked at. */
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

/** Named as core/names.ts lets names through: MongoDB's names are made of them. */
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
  return /^[1-9]\d{0,15}$/.test(name) && Number(name) <= MAX_GIVEN_COUNT
}

/** What is found in the entry of this operation, and in no other. */
export function toMark(operationId: string): string {
  return `"operationId":${JSON.stringify(operationId)}`
}

/** Of an entry's text, as `digestOf` of session.lua makes it: of its ends, which tell when and by whom it was written. */
export function toDigest(text: string | Buffer): string {
  const bytes = Buffer.from(text as string)
  const ends = [bytes.subarray(0, END_BYTES), bytes.subarray(-END_BYTES), Buffer.from(`${bytes.length}`)]
  return createHash('sha1').update(Buffer.concat(ends)).digest('hex')
}

/** `undefined` for what is none of this session and version, or could not be removed by its operation. */
export function parseEntry(json: string, sessionId: string, version: number): OutboxEntry | undefined {
  try {
    const entry = v.parse(schema, JSON.parse(json))
    const isOurs = entry.id === `${sessionId}:${version}` && entry.sessionId === sessionId
    return isOurs && entry.version === version && json.includes(toMark(entry.operationId)) ? entry : undefined
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
