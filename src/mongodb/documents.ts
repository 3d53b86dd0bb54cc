import type { DurableHead } from '../core/durable-backend.js'
import { SessionIncompleteError } from '../core/errors.js'
import { NO_HEAD } from '../core/store/histories.js'
import { lastOperation } from '../core/store/operation-ids.js'

/**
 * The head of a session. Every change of the session is one compare-and-set on this document. `expiresAt`: when the
 * server may remove a document. `endsAt`: when the session ends for its readers.
 */
export interface HeadDocument {
  _id: string
  /** The session's id while the session exists; absent: deleted, or claimed and not yet written. */
  session?: string | undefined
  v: number
  /** The number of writes that came late, after `v`. It tells apart two intents of the same version. */
  late?: number | undefined
  fence: number
  updatedAt: Date
  /** The version with which this life of the session began: fields of earlier versions are left-overs. */
  since: number
  /** Hybrid: fields came to a session that was lost here. Redis alone has the rest. */
  isPart?: true | undefined
  /** The last operations applied, in the format of core/store/operation-ids.ts. */
  ops: string
  /** In the format of core/store/histories.ts; both are missing in sessions of earlier releases. */
  incarnation?: string | undefined
  forks?: string | undefined
  endsAt?: Date | undefined
  /** Every field of the session is kept at least until then; absent: for ever. */
  keptUntil?: Date | undefined
  expiresAt?: Date | undefined
  leaseUntil?: Date | undefined
  /** When this life of the session began. */
  createdAt?: Date | undefined
  /** When the session was claimed last, and the label of that owner. */
  claimedAt?: Date | undefined
  owner?: string | undefined
  /** Hybrid, I11: all writes of owners with lower tokens are here. Any other write of theirs was never accepted. */
  barredBelow?: number | undefined
  /** The open work of version `intent.v`. Readers count it as done. */
  intent?: Intent | undefined
}

/** The writes are in `parts` documents of their own. */
export interface ChainIntent {
  v: number
  chain: string
  parts: number
}

export type Intent =
  | { v: number; writes: IntentWrite[] }
  | ChainIntent
  /** Fields up to this version are to be removed. No reader uses them any more. */
  | { v: number; purge: true }

/** A write of one field. `at`: its name within the session. Without `data`, the field is deleted. */
export interface IntentWrite {
  at: string
  data?: Buffer
  /** The version of the field; default the intent's. */
  v?: number
}

export interface ChainDocument {
  _id: string
  writes: IntentWrite[]
  createdAt: Date
  expiresAt?: Date
}

export interface FieldDocument {
  _id: string
  /** The version of the session with the last write of the field. */
  v: number
  data?: Buffer
  /** Deleted. The document stays for a while, so that a late older write does not bring the field back. */
  gone?: true
  expiresAt?: Date
}

/** The start of a head without a session. */
export const VACANT = { v: 0, updatedAt: new Date(0), since: 0, ops: '' } as const

/** A head as a write finds it. `document` is `undefined` if there is none. */
export interface Found {
  document: HeadDocument | undefined
  head: DurableHead
  isExpired: boolean
}

export function toFound(document: HeadDocument | undefined, nowMs: number): Found {
  if (document === undefined) {
    return { document, isExpired: false, head: NO_HEAD }
  }
  const { session, v: version, fence, updatedAt, endsAt, incarnation = '', ops = '' } = document
  const isExpired = session !== undefined && endsAt != null && endsAt.getTime() <= nowMs
  const exists = session !== undefined && !isExpired
  const part = document.isPart ? { isPart: true } : {}
  const updatedAtMs = updatedAt.getTime()
  return {
    document,
    isExpired,
    head: {
      exists,
      version,
      fence,
      updatedAtMs,
      incarnation,
      operation: lastOperation(ops, version),
      ops,
      ...part,
    },
  }
}

/**
 * What the owner with this token finds: an expired session still exists for it while all of it is kept. Throws
 * `SESSION_INCOMPLETE` after that.
 */
export function toOwned(
  found: Found,
  sessionId: string,
  fencingToken: number | undefined,
  nowMs: number,
): Found {
  const { document, isExpired, head } = found
  if (!isExpired || fencingToken === undefined || fencingToken < head.fence) return found
  const { keptUntil } = document ?? {}
  if (keptUntil != null && keptUntil.getTime() <= nowMs) throw new SessionIncompleteError({ sessionId })
  return { ...found, head: { ...head, exists: true } }
}
