import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { MAX_STORED_COUNT } from '../../core/store/arguments.js'
import { type SealedPatch, type SealedVersions, sealedPatch, sealedVersions } from './sealed-patch.js'

const OUTBOX_STATUSES = ['pending', 'processing', 'completed', 'failed'] as const satisfies OutboxStatus[]
export type OutboxStatus = 'pending' | 'processing' | 'completed' | 'failed'

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
  /** How long the session lives from this write on, in ms, if not for the store's ttl; see `Commit`. */
  lifeMs?: number | null | 'kept' | undefined
  /** The earlier versions of the fields that a heal has written again. */
  versions?: SealedVersions | undefined
}

/** Most bytes of an entry's text; no write of this library is larger. */
export const MAX_ENTRY_BYTES = 32 * 1024 * 1024
/** A TTL of a hundred years from then ends before the last instant that JavaScript knows. */
const MAX_INSTANT_MS = 8.63e15
/** core/store/operation-ids.ts stores one id a line. Ids of forks and alignments have additional characters. */
const OPERATION_ID = /^[\w.+-]{1,128}$/
const END_BYTES = 4096

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const operationId = v.pipe(v.string(), v.regex(OPERATION_ID))
/** Writes past Redis raise a version by 2^20 each; no version gets above this. */
const given = v.pipe(count, v.maxValue(MAX_STORED_COUNT))
const instant = v.pipe(count, v.maxValue(MAX_INSTANT_MS))

const schema = v.object({
  id: v.string(),
  sessionId: v.string(),
  patch: v.optional(sealedPatch),
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
  lifeMs: v.optional(v.union([instant, v.null(), v.literal('kept')])),
  versions: v.optional(sealedVersions),
})

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
    const isInOrder = Object.values(entry.versions ?? {}).every(earlier => earlier < version)
    const isSound = isOurs && isOneOfTwo && isInOrder && entry.version === version
    return isSound && json.includes(toMark(entry.operationId)) ? entry : undefined
  } catch {
    return undefined
  }
}
