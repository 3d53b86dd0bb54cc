/**
 * What an application does to a head: the database in front has given the versions. Pure functions, like decisions.ts.
 */
import type { AppliedOperation, FieldWrite, StoredHistory } from '../core/backend.js'
import type { Application, Applied } from '../core/durable-backend.js'
import { checkGuard } from '../core/store/guard.js'
import { nextHistory } from '../core/store/histories.js'
import {
  findOperation,
  hasLost,
  isForgotten,
  noteOperation,
  operationAt,
  overtakerOf,
} from '../core/store/operation-ids.js'
import { bury, type Context, giveUp, sinceAfter } from './decisions.js'
import type { Found, HeadDocument } from './documents.js'
import type { Change } from './requests.js'

/** What writes with versions from another database find in a head. */
export type Finding =
  /** Only older writes: theirs come next. */
  | 'new'
  /** An expired session, also one that a claim has vacated, or a part of one, at the same version. The writes are all of it. */
  | 'revival'
  /** The same writes, all applied before. */
  | 'repeated'
  /** Another write of the same version or a later one. */
  | 'late'
  /** Several writes: the first ones are late, the last ones are new. */
  | 'straddling'
  /** A deletion of the session that their fields belong to: they were written without knowing of it. */
  | 'after the end'
  /** I11: a bar. A later owner has opened the session, which takes no more writes of theirs. */
  | 'barred'

export function classify({ document, head, isExpired }: Found, application: Application): Finding {
  const { version, fencingToken, operations, kind, history } = application
  const { v: found = 0, ops = '', barredBelow = 0 } = document ?? {}
  // A claim has vacated the expired session, and the other database has it from its owner: the claim's owner goes on with it.
  const isVacated = !head.exists && ops === '' && history !== undefined && (fencingToken ?? 0) >= head.fence
  const revives = (isExpired || head.isPart || isVacated) && kind === 'session' && found === version
  // Only a deletion leaves operations without a session.
  const isAfterEnd = kind === 'fields' && !head.exists && !isExpired && ops !== ''
  const isLate = found >= version && !revives
  const areKnown = operations.every(({ id }) => findOperation(ops, id) !== undefined)
  if (areKnown && !revives) return 'repeated'
  if (fencingToken !== undefined && fencingToken < barredBelow) return 'barred'
  if (isAfterEnd) return 'after the end'
  if (isLate) return 'late'
  if (revives) return 'revival'
  const isOneLate = operations.some(
    ({ id, version }) => version <= found && findOperation(ops, id) === undefined,
  )
  return isOneLate ? 'straddling' : 'new'
}

/**
 * Applies writes under the versions that they have. Applying them twice is the same as once (I4). A late write is
 * stored under its own version and replaces nothing newer; the head keeps its version.
 */
export function decideApplication(
  found: Found,
  application: Application,
  writes: readonly FieldWrite[],
  context: Context,
): Change<Applied> {
  const { fencingToken, kind, isOwn } = application
  const finding = classify(found, application)
  const result = toApplied(found, application, finding)
  if (finding === 'repeated') return { result }
  if (isOwn) checkGuard(context.sessionId, found.head, { fencingToken })
  switch (finding) {
    case 'barred':
    case 'after the end':
    case 'straddling':
      return { result }
    case 'new':
    case 'revival':
      if (kind === 'deletion') return decideEnd(found, application, context, result)
      return {
        result,
        writesVersion: application.version,
        head: nextHead(found, application, writes, context, result),
      }
    case 'late':
      // A session that has begun since is another one: the writes do not touch it. A late deletion ends one that has
      // only continued.
      if (isOfEarlierLife(found, application) && !completes(found, application)) return { result }
      if (kind === 'deletion') return decideEnd(found, application, context, result)
      return {
        result,
        writesVersion: application.version,
        head: lateHead(found, application, writes, context),
      }
  }
}

function toApplied(found: Found, application: Application, finding: Finding): Applied {
  const { document, head, isExpired } = found
  const { version, operations, kind } = application
  const { v = 0, ops = '' } = document ?? {}
  const comesNext = finding === 'new' || finding === 'revival'
  const isNewlyLate = finding === 'late' || finding === 'after the end'
  // A known write may have been late when it came: a repetition must get the same answer.
  const isAnyKnown = operations.some(({ id }) => findOperation(ops, id) !== undefined)
  const overtaker = isAnyKnown ? operations.map(({ id }) => overtakerOf(ops, id)).find(one => one) : undefined
  const continues = head.exists || isExpired
  return {
    version: comesNext ? version : v,
    fence: head.fence,
    isBarred: finding === 'barred',
    mustSplit: finding === 'straddling',
    isLate: isNewlyLate || overtaker !== undefined,
    missing: findMissing(found, application, finding),
    isPart: kind === 'fields' && comesNext && (!continues || head.isPart === true),
    newest: isNewlyLate ? operationAt(ops, v) : overtaker,
    ops,
  }
}

/** See `Applied.missing`. A known operation was missing when it came, if a later one was there before it. */
function findMissing(found: Found, application: Application, finding: Finding): string[] {
  const isLate = finding === 'late' && !isOfEarlierLife(found, application)
  if (!isLate && finding !== 'repeated') return []
  const { ops } = found.document ?? {}
  const wasMissing = ({ id, version }: AppliedOperation) =>
    hasLost(ops, id, version) || overtakerOf(ops, id) !== undefined
  return application.operations.filter(wasMissing).map(({ id }) => id)
}

/** Whether the session was deleted or begun anew since: then the writes neither bring it back nor end it. */
function isOfEarlierLife({ document, head, isExpired }: Found, { version, kind }: Application): boolean {
  const isThere = kind === 'deletion' ? document?.session !== undefined : head.exists || isExpired
  return !isThere || version < (document?.since ?? 0)
}

function nextHead(
  { document, head, isExpired }: Found,
  application: Application,
  writes: readonly FieldWrite[],
  { sessionId, lifetime, nowMs }: Context,
  { version, isPart }: Applied,
): Partial<HeadDocument> {
  const { kind, fencingToken = 0, lifeMs, livesFromNow = false } = application
  const { v: before = 0, since = 0, late = 0 } = document ?? {}
  const begins = kind === 'session' || !(head.exists || isExpired)
  const lastMs = lastInstant(application)
  const beganAt = (before === version && document?.createdAt) || new Date(lastMs) // the same one, if it comes again
  return {
    session: sessionId,
    v: version,
    late: before === version ? late + 1 : undefined,
    fence: Math.max(head.fence, fencingToken),
    updatedAt: new Date(Math.max(head.updatedAtMs, lastMs)),
    ...(begins && { createdAt: beganAt }),
    since: sinceAfter(begins ? undefined : since, firstOf(application), writes),
    isPart: isPart || undefined,
    ops: noteOperations(document, application),
    ...historyAfter(document, application),
    ...lifetime.from(livesFromNow ? nowMs : Math.min(nowMs, lastMs), document, lifeMs),
  }
}

/** The head stays at its version. */
function lateHead(
  found: Found,
  application: Application,
  writes: readonly FieldWrite[],
  { sessionId }: Context,
): Partial<HeadDocument> {
  const { document, head } = found
  const first = firstOf(application)
  const since = sinceAfter(document?.since ?? 0, first, writes)
  const isCompleted = completes(found, application)
  return {
    session: sessionId,
    v: head.version,
    late: (document?.late ?? 0) + 1,
    fence: Math.max(head.fence, application.fencingToken ?? 0),
    updatedAt: new Date(Math.max(head.updatedAtMs, lastInstant(application))),
    since: isCompleted ? Math.min(since, first) : since,
    isPart: isCompleted ? undefined : document?.isPart,
    ops: noteOperations(document, application),
    ...(isCompleted && historyAfter(document, application)),
  }
}

/** Whether a whole session comes to a part of it, though with an earlier version: what the part has since stays. */
function completes({ head }: Found, { kind }: Application): boolean {
  return kind === 'session' && head.isPart === true
}

/** `strayVersion`: the tombstone outranks every field, as in `decideDeletion`. */
function decideEnd(
  { document }: Found,
  application: Application,
  { nowMs, strayVersion = 0 }: Context,
  result: Applied,
): Change<Applied> {
  const { version, fencingToken: token = 0, operations } = application
  const [by] = operations as [AppliedOperation] // a deletion comes alone
  const { v: found = 0 } = document ?? {}
  const v = Math.max(found >= version ? found + 1 : version, strayVersion)
  const tombstone = bury(document, nowMs, { v, token, by, ops: noteOperations(document, application) })
  return { result: { ...result, version: v }, head: tombstone }
}

function noteOperations(document: HeadDocument | undefined, { operations }: Application): string {
  const { ops } = document ?? {}
  const isWorthNoting = ({ id, version }: (typeof operations)[number]) =>
    findOperation(ops, id) === undefined && !isForgotten(ops, version)
  return operations.filter(isWorthNoting).reduce<string | undefined>(noteOperation, ops) ?? ''
}

/** The lowest version that the application takes. A whole session takes the last one for all its fields. */
function firstOf({ version, operations, history }: Application): number {
  return history ? version : Math.min(version, ...operations.map(operation => operation.version))
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

/** I10: raises the fence to a token of the other database, so that owners of lower tokens are refused. */
export function decideFence({ document, head }: Found, token: number): Change<void> {
  if (document === undefined || token <= head.fence) return { result: undefined }
  return { result: undefined, head: { fence: token } }
}

/** I11: called when no write of owners with lower tokens waits any more. What has expired by then is given up. */
export function decideBar({ document, head, isExpired }: Found, token: number, nowMs: number): Change<void> {
  if (document === undefined || token <= (document.barredBelow ?? 0)) return { result: undefined }
  const givenUp = isExpired && head.fence === token ? giveUp(document, nowMs) : {}
  return { result: undefined, head: { ...givenUp, barredBelow: token } }
}
