import type { BackendDeletion, CommitResult, StoredHistory } from '../core/backend.js'
import type { Application, Applied, DurableCommit, DurableDeletion } from '../core/durable-backend.js'
import { CorruptValueError, SessionLockedError } from '../core/errors.js'
import { MAX_LEASE_MS } from '../core/options.js'
import { toResult } from '../core/store/commit-result.js'
import { checkBeginning, checkGuard, isNothing } from '../core/store/guard.js'
import { nextHistory } from '../core/store/histories.js'
import {
  findOperation,
  isForgotten,
  noteOperation,
  operationAt,
  overtakerOf,
} from '../core/store/operation-ids.js'
import { type Found, type HeadDocument, VACANT } from './documents.js'
import { Lifetime } from './lifetime.js'
import type { Change } from './requests.js'

/** A session, its life, and what time it is: what every change is decided by, beside the head. */
export interface Circumstances {
  sessionId: string
  lifetime: Lifetime
  nowMs: number
  /** Of a deletion: the highest version among the fields. Above the head's, it is that of a damaged one. */
  strayVersion?: number
}

export function decideCommit(
  { document, head, isExpired }: Found,
  commit: DurableCommit,
  { sessionId, lifetime, nowMs }: Circumstances,
): Change<CommitResult> {
  const { operationId, fencingToken, above = 0, step = 1, fork } = commit
  const applied = findOperation(document?.ops, operationId)
  // One that another database gave its version may have come too late to count.
  const isInTime = applied && overtakerOf(document?.ops, operationId) === undefined
  if (isInTime) return { result: toResult({ ...head, ...applied, operation: operationId }) }
  checkGuard(sessionId, head, commit)
  if (isNothing(head, commit)) return { result: toResult({ ...head, operation: '' }) }
  const version = Math.max(head.version, above) + step
  // Who still owns an expired session brings it back whole; for anyone else it begins anew.
  const goesOn = head.exists || (isExpired && fencingToken !== undefined)
  checkBeginning(sessionId, !goesOn, commit)
  const history = nextHistory(
    { incarnation: head.incarnation, forks: document?.forks ?? '' },
    { operationId, begins: !goesOn, fork, before: head.version, version },
  )
  const since = fork === undefined ? version : fork.at + 1 // what a heal writes keeps its versions
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
      since: goesOn && document ? document.since : since,
      ops: noteOperation(document?.ops, { id: operationId, version, updatedAtMs: nowMs }),
      ...history,
      ...lifetime.from(nowMs, document),
    },
  }
}

export function decideDeletion(
  { document, head }: Found,
  { operationId, above = 0, step = 1, ...guard }: DurableDeletion,
  { sessionId, nowMs, strayVersion = 0 }: Circumstances,
): Change<BackendDeletion> {
  const { version, fence, operation } = head
  const found = { version, fence, operation, durability: 'durable' } as const
  if (findOperation(document?.ops, operationId)) return { result: found }
  checkGuard(sessionId, head, guard)
  const hasStrays = document !== undefined && strayVersion > document.v
  if (document === undefined || (document.session === undefined && !hasStrays)) return { result: found }
  // At least that of every field: what the tombstone does not outrank, the next session would read as its own.
  const v = Math.max(Math.max(document.v, above) + step, strayVersion)
  const ops = noteOperation(null, { id: operationId, version: v, updatedAtMs: nowMs })
  const tombstone = { ...vacate(document, nowMs, v), ops }
  return { result: { ...found, version: v, fence: tombstone.fence, operation: operationId }, head: tombstone }
}

/** `after`: a token to go on from. */
export function decideClaim(
  { document, head, isExpired }: Found,
  leaseMs: number | undefined,
  after: number,
  { sessionId, lifetime, nowMs }: Circumstances,
): Change<number> {
  const remainingMs = (document?.leaseUntil?.getTime() ?? 0) - nowMs
  // Twice, for a clock of the server that has gone back.
  if (remainingMs > 2 * MAX_LEASE_MS) {
    throw new CorruptValueError(
      'The member "leaseUntil" of the session\'s head in MongoDB is damaged: no lease ends as late.',
      { sessionId },
    )
  }
  if (remainingMs > 0) throw new SessionLockedError(remainingMs, { sessionId })
  const vacated = isExpired && document ? vacate(document, nowMs, document.v + 1) : undefined
  // At least the time, so that it outranks the tokens from before a loss of the head.
  const fence = Math.max((vacated?.fence ?? head.fence) + 1, after + 1, nowMs)
  const life = head.exists ? lifetime.from(nowMs, document) : Lifetime.vacant(nowMs)
  const leaseUntil = leaseMs === undefined ? undefined : new Date(nowMs + leaseMs)
  return { result: fence, head: { ...(document ? vacated : VACANT), ...life, fence, leaseUntil } }
}

/**
 * The versions are those that the writes have; applying them twice is applying them once. Writes that come late are
 * stored under their own version, below what is newer, and the head stays at its own.
 */
export function decideApplication(
  { document, head, isExpired }: Found,
  application: Application,
  { sessionId, lifetime, nowMs, strayVersion = 0 }: Circumstances,
): Change<Applied> {
  const { version, fencingToken, operations, kind, isOwn } = application
  const { v: found = 0, ops, since = 0, late = 0 } = document ?? {}
  const unknown = operations.filter(({ id }) => findOperation(ops, id) === undefined)
  const goesOn = head.exists || isExpired
  // What another database still has whole lives, though it has come to its end here, or is here in part.
  const revives = (isExpired || head.isPart) && kind === 'session' && found === version
  // A session begins with all of it: fields without one knew nothing of its end, and come too late.
  const isAfterEnd = kind === 'fields' && !goesOn && (ops ?? '') !== '' // which a deletion leaves
  const isLate = (found >= version && !revives) || isAfterEnd
  // Known ones may have been late when they came: then whoever asks again has to hear that, too.
  const isNew = unknown.length === operations.length
  const overtaker = isNew ? undefined : operations.map(({ id }) => overtakerOf(ops, id)).find(one => one)
  const isDone = isLate && unknown.length === 0
  const comesLate = isLate && !isDone
  const result = {
    version: isLate ? found : version,
    fence: head.fence,
    isBarred: false,
    isLate: comesLate || overtaker !== undefined,
    isPart: kind === 'fields' && !isLate && (!goesOn || head.isPart === true),
    newest: comesLate ? operationAt(ops, found) : overtaker,
  }
  if (isDone) return { result }
  if (isOwn && fencingToken > 0) checkGuard(sessionId, head, { fencingToken })
  if (fencingToken > 0 && fencingToken < (document?.barredBelow ?? 0)) {
    return { result: { ...result, isBarred: true } }
  }
  const fence = Math.max(head.fence, fencingToken)
  const worthNoting = isLate ? unknown.filter(operation => !isForgotten(ops, operation.version)) : unknown
  const noted = worthNoting.reduce<string | undefined>(noteOperation, ops) ?? ''
  if (kind === 'deletion') {
    // What has begun since is another session; what has only gone on since knew nothing of the end, and ends now.
    if (isLate && (document?.session === undefined || version < since)) return { result }
    const life = { ...Lifetime.vacant(nowMs), ops: noted }
    const v = Math.max(isLate ? found + 1 : version, strayVersion)
    if (document === undefined) {
      return {
        result: { ...result, version: v },
        head: { ...VACANT, v, ...life, fence, intent: { v, purge: true } },
      }
    }
    const end = vacate(document, nowMs, v)
    const ended = { ...end, ...life, fence: Math.max(end.fence, fencingToken) }
    return { result: { ...result, version: end.v }, head: ended }
  }
  // What was deleted since, or begun anew, does not come back.
  if (isLate && (!goesOn || version < since)) return { result }
  const begins = !isLate && (kind === 'session' || !goesOn)
  const instants = operations.map(({ updatedAtMs }) => updatedAtMs)
  return {
    result,
    writesVersion: version,
    head: {
      session: sessionId,
      v: result.version,
      late: isLate || revives ? late + 1 : undefined,
      fence,
      updatedAt: new Date(Math.max(head.updatedAtMs, ...instants)),
      since: begins ? version : since,
      isPart: result.isPart || (isLate && document?.isPart) || undefined,
      ops: noted,
      ...(isLate ? {} : historyAfter(document, application)),
      // As long as from the moment of the write, however long it has been on its way.
      ...(isLate ? {} : lifetime.from(Math.min(nowMs, Math.max(...instants)), document)),
    },
  }
}

function historyAfter(
  document: HeadDocument | undefined,
  { history, kind, fork, operations: [first] }: Application,
): Partial<StoredHistory> {
  if (history) return history
  const begins = kind === 'session'
  if (first === undefined || (!begins && fork === undefined)) return {}
  const { incarnation = '', forks = '', v: before = 0 } = document ?? {}
  const step = { operationId: first.id, begins, fork, before, version: first.version }
  return nextHistory({ incarnation, forks }, step)
}

/** So that the owners of lower tokens are refused, whatever database gave the token. */
export function decideFence({ document, head }: Found, token: number): Change<void> {
  if (document === undefined || token <= head.fence) return { result: undefined }
  return { result: undefined, head: { fence: token } }
}

/** Once nothing waits any more that owners of lower tokens have written. */
export function decideBar({ document }: Found, token: number): Change<void> {
  if (document === undefined || token <= (document.barredBelow ?? 0)) return { result: undefined }
  return { result: undefined, head: { barredBelow: token } }
}

/** The tombstone's fence is above every token handed out, so that none of their owners can write any more. */
function vacate(
  document: HeadDocument,
  nowMs: number,
  v: number,
): Partial<HeadDocument> & { v: number; fence: number } {
  return {
    ...Lifetime.vacant(nowMs),
    session: undefined,
    isPart: undefined,
    v,
    fence: document.fence + 1,
    ops: '',
    leaseUntil: undefined,
    intent: { v, purge: true },
  }
}
