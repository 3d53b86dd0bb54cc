import type { DurableHead } from '../core/durable-backend.js'
import { SessionIncompleteError } from '../core/errors.js'
import { lastOperation } from '../core/store/operation-ids.js'

/**
 * What a session is as a whole. Every change of it is one compare-and-set on this document.
 * `expiresAt` is when the server may remove a document; `endsAt` is when the session ends for its readers.
 */
export interface HeadDocument {
  _id: string
  /** The session's id while it lives; without it: claimed and not yet written, or deleted. */
  session?: string | undefined
  v: number
  /** Writes that came after `v` had been taken, though they are older. With it no two intents are of the same head. */
  late?: number | undefined
  fence: number
  updatedAt: Date
  /** The version that this life of the session began with: fields of earlier versions are left-overs. */
  since: number
  /** Hybrid: fields came to where no session was any more. Redis alone has the rest. */
  isPart?: true | undefined
  /** The last operations that were applied, as core/store/operation-ids.ts writes them. */
  ops: string
  /** These two as core/store/histories.ts has them; missing in sessions of earlier releases. */
  incarnation?: string | undefined
  forks?: string | undefined
  endsAt?: Date | undefined
  /** Every field of the session is kept until then at the least; without it, for ever. */
  keptUntil?: Date | undefined
  expiresAt?: Date | undefined
  leaseUntil?: Date | undefined
  /** Hybrid: all that owners of lower tokens have written is here; what else turns up of theirs was never accepted. */
  barredBelow?: number | undefined
  /** What is still to be done for version `intent.v`. It counts as done to every reader. */
  intent?: Intent | undefined
}

export type Intent =
  | { v: number; writes: IntentWrite[] }
  /** The writes lie in so many documents of their own. */
  | { v: number; chain: string; parts: number }
  /** Fields up to this version are to be removed. Nobody reads them any more. */
  | { v: number; purge: true }

/** One field: `at` is its name within the session. Without `data` it is deleted. */
export interface IntentWrite {
  at: string
  data?: Buffer
  /** The version that the field takes; default that of the intent. */
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
  /** The version of the session that wrote it. */
  v: number
  data?: Buffer
  /** Deleted: stays for a while, so that a late older write does not bring the field back. */
  gone?: true
  expiresAt?: Date
}

/** What a head without a session begins as. */
export const VACANT = { v: 0, updatedAt: new Date(0), since: 0, ops: '' } as const

/** A head as a write finds it. `document` is `undefined` where there is none. */
export interface Found {
  document: HeadDocument | undefined
  head: DurableHead
  isExpired: boolean
}

export function toFound(document: HeadDocument | undefined, nowMs: number): Found {
  if (document === undefined) {
    const head = { exists: false, version: 0, fence: 0, updatedAtMs: 0, incarnation: '', operation: '' }
    return { document, isExpired: false, head }
  }
  const { session, v: version, fence, updatedAt, endsAt, incarnation = '', ops = '' } = document
  const isExpired = session !== undefined && endsAt != null && endsAt.getTime() <= nowMs
  const exists = session !== undefined && !isExpired
  const part = document.isPart ? { isPart: true } : {}
  const updatedAtMs = updatedAt.getTime()
  return {
    document,
    isExpired,
    head: { exists, version, fence, updatedAtMs, incarnation, operation: lastOperation(ops), ops, ...part },
  }
}

/**
 * As the owner with this token finds it: a session that has expired still exists to it, as long as all of it is kept.
 * Throws `SESSION_INCOMPLETE` after that.
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
