/**
 * What a commit, a deletion and a claim do to a head. Pure functions; session-writer.ts carries their decisions out.
 */
import type {
  AppliedOperation,
  BackendDeletion,
  ClaimTerms,
  CommitResult,
  FieldWrite,
} from '../core/backend.js'
import type { DurableClaim, DurableCommit, DurableDeletion } from '../core/durable-backend.js'
import { CorruptValueError, SessionLockedError } from '../core/errors.js'
import { MAX_LEASE_MS } from '../core/input/options.js'
import { toResult } from '../core/store/commit-result.js'
import { checkBeginning, checkGuard, isNoOp } from '../core/store/guard.js'
import { nextHistory } from '../core/store/histories.js'
import { findOperation, noteOperation, overtakerOf } from '../core/store/operation-ids.js'
import { type Found, type HeadDocument, toFound, VACANT } from './documents.js'
import { Lifetime } from './lifetime.js'
import type { Change } from './requests.js'

/** The input of every decision besides the head: the session, its life, and the time. */
export interface Context {
  sessionId: string
  lifetime: Lifetime
  nowMs: number
  /** For a deletion: the highest version among the fields. Only a damaged field is above the head's version. */
  strayVersion?: number
}

/**
 * `since` of the head after the writes, which take versions from `from` on. A heal also writes fields of earlier ones:
 * they belong to this life of the session, and come after the end of the last one. `since`: `undefined` if the session
 * begins.
 */
export function sinceAfter(since: number | undefined, from: number, writes: readonly FieldWrite[]): number {
  const first = writes.reduce((lowest, { version = from }) => Math.min(lowest, version), from)
  if (since === undefined) return first
  return first < from ? Math.min(since, first) : since
}

export function decideCommit(
  { document, head: found, isExpired }: Found,
  commit: DurableCommit,
  { sessionId, lifetime, nowMs }: Context,
): Change<CommitResult> {
  const { operationId, fencingToken, above = 0, step = 1, writes, fork, lifeMs } = commit
  // A heal begins the session again that is lost but for a part.
  const head = found.isPart && fork ? { ...found, exists: false } : found
  const applied = findOperation(document?.ops, operationId)
  // An operation with a version of another database may have come too late to count.
  const isInTime = applied && overtakerOf(document?.ops, operationId) === undefined
  if (isInTime) return { result: toResult({ ...head, ...applied, operation: operationId }) }
  checkGuard(sessionId, head, commit)
  if (isNoOp(head, commit)) return { result: toResult({ ...head, operation: '' }) }
  const version = Math.max(head.version, above) + step
  // The owner of an expired session brings it back whole; for other writers, a new session begins.
  const continues = head.exists || (isExpired && fencingToken !== undefined)
  checkBeginning(sessionId, !continues, commit)
  const history = nextHistory(
    { incarnation: head.incarnation, forks: document?.forks ?? '' },
    { operationId, begins: !continues, fork, before: head.version, version },
  )
  return {
    result: toResult({
      version,
      updatedAtMs: nowMs,
      incarnation: history.incarnation,
      operation: operationId,
    }),
    head: {
      session: sessionId,
      v: version,
      fence: Math.max(head.fence, fencingToken ?? 0),
      updatedAt: new Date(nowMs),
      ...(!continues && { createdAt: new Date(nowMs) }),
      since: sinceAfter(continues ? document?.since : undefined, version, writes),
      isPart: continues ? document?.isPart : undefined,
      ops: noteOperation(document?.ops, { id: operationId, version, updatedAtMs: nowMs }),
      ...history,
      ...lifetime.from(nowMs, document, lifeMs),
    },
  }
}

export function decideDeletion(
  { document, head }: Found,
  { operationId, above = 0, step = 1, deletedAtMs: givenMs, ...guard }: DurableDeletion,
  { sessionId, nowMs, strayVersion = 0 }: Context,
): Change<BackendDeletion> {
  const { version, fence, operation } = head
  const applied = findOperation(document?.ops, operationId)
  if (applied) return { result: toDeleted({ version, fence, operation, deletedAtMs: applied.updatedAtMs }) }
  checkGuard(sessionId, head, guard)
  const deletedAtMs = givenMs ?? nowMs
  // At least every field's version: the next session would read a field above the tombstone as its own.
  const v = Math.max(Math.max(version, above) + step, strayVersion)
  // Without a token, the fence is the instant, and so above the tokens of claims that the database has lost.
  const token = guard.fencingToken ?? deletedAtMs - 1
  const by = { id: operationId, version: v, updatedAtMs: deletedAtMs }
  const tombstone = bury(document, nowMs, { v, token, by, ops: noteOperation(null, by) })
  const result = toDeleted({ version: v, fence: tombstone.fence, operation: operationId, deletedAtMs })
  return { result, head: tombstone }
}

function toDeleted(deletion: Omit<BackendDeletion, 'durability'>): BackendDeletion {
  return { ...deletion, durability: 'durable' }
}

/** What a deletion leaves, which is the operation `by`. Where no life of the session is known, it is a history of its own. */
export function bury(
  document: HeadDocument | undefined,
  nowMs: number,
  { v, token, by, ops }: { v: number; token: number; by: AppliedOperation; ops: string },
): Partial<HeadDocument> & { v: number; fence: number } {
  return {
    ...vacate(document, nowMs, v, token),
    ops,
    updatedAt: new Date(by.updatedAtMs),
    incarnation: document?.incarnation || by.id,
  }
}

/** A claim beside that of another database. */
export interface ClaimingBeside {
  /** The highest token of the other database. */
  after?: number
  keepsExpired?: boolean
}

/**
 * The token is above `after`. `keepsExpired`: an expired session is left as it is, for `decideBar` to give up: its owner
 * may bring it back in another database until that one knows of the claim.
 */
export function decideClaim(
  { document, head, isExpired }: Found,
  { leaseMs, owner, keepsLife = false }: ClaimTerms,
  { after = 0, keepsExpired = false }: ClaimingBeside,
  { sessionId, lifetime, nowMs }: Context,
): Change<DurableClaim> {
  const remainingMs = (document?.leaseUntil?.getTime() ?? 0) - nowMs
  // Twice the limit, in case the server's clock has gone back.
  if (remainingMs > 2 * MAX_LEASE_MS) {
    throw new CorruptValueError(
      'The member "leaseUntil" of the session\'s head in MongoDB is damaged: no lease ends as late.',
      { sessionId },
    )
  }
  if (remainingMs > 0) throw new SessionLockedError(remainingMs, { sessionId })
  const isLeft = isExpired && keepsExpired
  const vacated = isExpired && document && !isLeft ? vacate(document, nowMs, document.v + 1) : undefined
  // At least the time, so that the token outranks all tokens from before a loss of the head.
  const fence = Math.max((vacated?.fence ?? head.fence) + 1, after + 1, nowMs)
  const renewed = lifetime.from(nowMs, document, keepsLife ? 'kept' : undefined)
  const life = head.exists ? renewed : isLeft ? {} : Lifetime.vacant(nowMs)
  const leaseUntil = leaseMs === undefined ? undefined : new Date(nowMs + leaseMs)
  const claim = { leaseUntil, claimedAt: new Date(nowMs), owner }
  const next = { ...(document ? vacated : VACANT), ...life, ...claim, fence }
  const { head: claimed } = toFound({ ...document, ...next } as HeadDocument, nowMs)
  return { result: { fencingToken: fence, head: claimed }, head: next }
}

/** Ends what has expired by the claim of this token, which goes on. */
export function giveUp(
  document: HeadDocument,
  nowMs: number,
): Partial<HeadDocument> & { v: number; fence: number } {
  const { fence, leaseUntil, claimedAt, owner } = document
  return { ...vacate(document, nowMs, document.v + 1), fence, leaseUntil, claimedAt, owner }
}

/**
 * The tombstone's fence is above every token handed out, so that no earlier owner can write. `token`: the highest one that
 * the deletion ends. There need not be a session: a process may know one that the database has lost.
 */
function vacate(
  document: HeadDocument | undefined,
  nowMs: number,
  v: number,
  token = 0,
): Partial<HeadDocument> & { v: number; fence: number } {
  return {
    ...(document === undefined && VACANT),
    ...Lifetime.vacant(nowMs),
    session: undefined,
    isPart: undefined,
    v,
    fence: Math.max(document?.fence ?? 0, token) + 1,
    ops: '',
    leaseUntil: undefined,
    createdAt: undefined,
    claimedAt: undefined,
    owner: undefined,
    intent: { v, purge: true },
  }
}
