/** What is done to a head for the database before this one: it has given the versions. Pure functions, as decisions.ts. */
import type { StoredHistory } from '../core/backend.js'
import type { Application, Applied } from '../core/durable-backend.js'
import { checkGuard } from '../core/store/guard.js'
import { nextHistory } from '../core/store/histories.js'
import {
  findOperation,
  isForgotten,
  noteOperation,
  operationAt,
  overtakerOf,
} from '../core/store/operation-ids.js'
import { type Context, vacate } from './decisions.js'
import { type Found, type HeadDocument, VACANT } from './documents.js'
import { Lifetime } from './lifetime.js'
import type { Change } from './requests.js'

/** What writes find that have their versions from another database. */
export type Finding =
  /** Nothing as new: their versions come next. */
  | 'new'
  /** A session that has come to its end, or is here in part; they are all of it, at the same version. */
  | 'revival'
  /** All of them, applied before. */
  | 'repeated'
  /** Something as new or newer. */
  | 'late'
  /** The end of the session that they are fields of: they knew nothing of it. */
  | 'after the end'
  /** A bar: a later owner has opened the session, and nothing more of theirs is taken. */
  | 'barred'

export function classify({ document, head, isExpired }: Found, application: Application): Finding {
  const { version, fencingToken, operations, kind } = application
  const { v: found = 0, ops = '', barredBelow = 0 } = document ?? {}
  const revives = (isExpired || head.isPart) && kind === 'session' && found === version
  // Where operations are remembered without a session, a deletion has left them.
  const isAfterEnd = kind === 'fields' && !head.exists && !isExpired && ops !== ''
  const isLate = found >= version && !revives
  const areKnown = operations.every(({ id }) => findOperation(ops, id) !== undefined)
  if ((isLate || isAfterEnd) && areKnown) return 'repeated'
  if (fencingToken > 0 && fencingToken < barredBelow) return 'barred'
  if (isAfterEnd) return 'after the end'
  if (isLate) return 'late'
  return revives ? 'revival' : 'new'
}

/**
 * The versions are those that the writes have; applying them twice is applying them once. Writes that come late are
 * stored under their own version, below what is newer, and the head stays at its own.
 */
export function decideApplication(found: Found, application: Application, context: Context): Change<Applied> {
  const { fencingToken, kind, isOwn } = application
  const finding = classify(found, application)
  const result = toApplied(found, application, finding)
  if (finding === 'repeated') return { result }
  if (isOwn && fencingToken > 0) checkGuard(context.sessionId, found.head, { fencingToken })
  switch (finding) {
    case 'barred':
    case 'after the end':
      return { result }
    case 'new':
    case 'revival':
      if (kind === 'deletion') return decideEnd(found, application, context, result)
      return {
        result,
        writesVersion: application.version,
        head: nextHead(found, application, context, result),
      }
    case 'late':
      // What has begun since is another session; what has only gone on since knew nothing of an end, and ends now.
      if (isOfEarlierLife(found, application)) return { result }
      if (kind === 'deletion') return decideEnd(found, application, context, result)
      return { result, writesVersion: application.version, head: lateHead(found, application, context) }
  }
}

function toApplied(
  { document, head, isExpired }: Found,
  application: Application,
  finding: Finding,
): Applied {
  const { version, operations, kind } = application
  const { v: found = 0, ops } = document ?? {}
  const comesNext = finding === 'new' || finding === 'revival'
  const isNewlyLate = finding === 'late' || finding === 'after the end'
  // Known ones may have been late when they came: then whoever asks again has to hear that, too.
  const isAnyKnown = operations.some(({ id }) => findOperation(ops, id) !== undefined)
  const overtaker = isAnyKnown ? operations.map(({ id }) => overtakerOf(ops, id)).find(one => one) : undefined
  const continues = head.exists || isExpired
  return {
    version: comesNext ? version : found,
    fence: head.fence,
    isBarred: finding === 'barred',
    isLate: isNewlyLate || overtaker !== undefined,
    isPart: kind === 'fields' && comesNext && (!continues || head.isPart === true),
    newest: isNewlyLate ? operationAt(ops, found) : overtaker,
  }
}

/** What was deleted since, or begun anew, is neither brought back nor ended by them. */
function isOfEarlierLife({ document, head, isExpired }: Found, { version, kind }: Application): boolean {
  const isThere = kind === 'deletion' ? document?.session !== undefined : head.exists || isExpired
  return !isThere || version < (document?.since ?? 0)
}

function nextHead(
  { document, head, isExpired }: Found,
  application: Application,
  { sessionId, lifetime, nowMs }: Context,
  { version, isPart }: Applied,
): Partial<HeadDocument> {
  const { kind, fencingToken } = application
  const { v: before = 0, since = 0, late = 0 } = document ?? {}
  const begins = kind === 'session' || !(head.exists || isExpired)
  const lastMs = lastInstant(application)
  return {
    session: sessionId,
    v: version,
    late: before === version ? late + 1 : undefined,
    fence: Math.max(head.fence, fencingToken),
    updatedAt: new Date(Math.max(head.updatedAtMs, lastMs)),
    since: begins ? version : since,
    isPart: isPart || undefined,
    ops: noteOperations(document, application),
    ...historyAfter(document, application),
    // As long as from the moment of the write, however long it has been on its way.
    ...lifetime.from(Math.min(nowMs, lastMs), document),
  }
}

/** It stays at its version. */
function lateHead(
  { document, head }: Found,
  application: Application,
  { sessionId }: Context,
): Partial<HeadDocument> {
  return {
    session: sessionId,
    v: head.version,
    late: (document?.late ?? 0) + 1,
    fence: Math.max(head.fence, application.fencingToken),
    updatedAt: new Date(Math.max(head.updatedAtMs, lastInstant(application))),
    since: document?.since ?? 0,
    isPart: document?.isPart,
    ops: noteOperations(document, application),
  }
}

/** `strayVersion`: at least that of every field, as of a deletion that this database decides. */
function decideEnd(
  { document, head }: Found,
  application: Application,
  { nowMs, strayVersion = 0 }: Context,
  result: Applied,
): Change<Applied> {
  const { version, fencingToken } = application
  const { v: found = 0 } = document ?? {}
  const v = Math.max(found >= version ? found + 1 : version, strayVersion)
  const life = { ...Lifetime.vacant(nowMs), ops: noteOperations(document, application) }
  const end = document
    ? { ...vacate(document, nowMs, v), ...life }
    : { ...VACANT, v, ...life, fence: head.fence, intent: { v, purge: true as const } }
  const fence = Math.max(end.fence, fencingToken)
  return { result: { ...result, version: v }, head: { ...end, fence } }
}

function noteOperations(document: HeadDocument | undefined, { operations }: Application): string {
  const { ops } = document ?? {}
  const isWorthNoting = ({ id, version }: (typeof operations)[number]) =>
    findOperation(ops, id) === undefined && !isForgotten(ops, version)
  return operations.filter(isWorthNoting).reduce<string | undefined>(noteOperation, ops) ?? ''
}

function lastInstant({ operations }: Application): number {
  return Math.max(...operations.map(({ updatedAtMs }) => updatedAtMs))
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
