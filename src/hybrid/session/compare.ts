/**
 * Compares what Redis and the durable store hold of one session, and what this process has seen of it. Every question
 * of the form "is this new enough?" in the hybrid store is answered here, by pure functions.
 */
import type { AppliedOperation, Head } from '../../core/backend.js'
import type { Applied, DurableHead } from '../../core/durable-backend.js'
import { compareHistories, type KnownHistory } from '../../core/store/histories.js'
import { operationAt, operationsIn } from '../../core/store/operation-ids.js'
import type { PendingWrite } from './pending-write.js'

/** A session as Redis holds it. lua/peek.lua defines the states. */
export interface RedisView {
  readonly state: 'cold' | 'live' | 'vacant' | 'deleted' | 'expired'
  readonly version: number
  readonly fence: number
  readonly updatedAtMs: number
  /** The operation that took the version; empty if Redis does not remember it. */
  readonly operation: string
  /** Of the operations that the caller asked for, those that Redis remembers. */
  readonly remembered: ReadonlySet<string>
  /** The lowest version whose operation Redis remembers; infinite if it remembers none. */
  readonly lowestVersion: number
  /** The remaining time of the owner's lease. */
  readonly leaseMs: number
}

/** The next step that brings both databases to the same state. */
export type Verdict =
  /** No step: they agree. */
  | 'in step'
  /** Both have lost a part of the session, and neither can complete the other: `SESSION_INCOMPLETE`. */
  | 'partial'
  /** Redis gets what the durable store has. */
  | 'load Redis'
  /** The durable store has gone back in time, or the session has expired there: it gets what Redis has. */
  | 'restore the durable store'
  /** The durable store has missed a claim: it gets the token. */
  | 'raise the durable fence'

type Version = Pick<RedisView, 'state' | 'version' | 'fence'>
type DurableVersion = Pick<DurableHead, 'exists' | 'isPart' | 'version' | 'fence'>

/**
 * The first rule that fits decides. `mustReload`: Redis holds another history than the durable store, whatever the
 * versions say.
 */
export function compare(redis: Version, durable: DurableVersion, mustReload: boolean): Verdict {
  if (isInStep(redis, durable) && !mustReload) return 'in step'
  if (isLostInPart(redis, durable)) return 'partial'
  if (isRedisAhead(redis, durable)) return 'restore the durable store'
  if (durable.isPart) return 'partial'
  if (isOnlyFenceAhead(redis, durable) && !mustReload) return 'raise the durable fence'
  return 'load Redis'
}

function isInStep({ state, version, fence }: Version, durable: DurableVersion): boolean {
  if (state === 'cold') return false
  if (state === 'live') return isWhole(durable) && durable.version === version && durable.fence === fence
  // Without a session, the durable store may have forgotten its tombstone.
  return !durable.exists && durable.version <= version
}

/** Redis has a part of a session that the durable store has never heard of. That is not a new session. */
export function isLostInPart({ state, version }: Version, durable: DurableVersion): boolean {
  return state === 'cold' && version > 0 && !durable.exists && durable.version === 0 && durable.fence === 0
}

/** Redis counts as ahead with a session or a deletion, not with mere absence; and only if it has not lost a claim. */
function isRedisAhead({ state, version, fence }: Version, durable: DurableVersion): boolean {
  if (state === 'live' && durable.isPart) return true
  if (state === 'live' && version === durable.version && !durable.exists) return fence >= durable.fence
  if (version <= durable.version) return false
  // A tombstone's fence is above the token that it has ended, and is nobody's token.
  return state === 'live' ? fence >= durable.fence : state === 'deleted' && fence > durable.fence
}

/**
 * The operation that took the version of the durable store first, if Redis is at that version and may lack it; else
 * `undefined`. Redis may have lost it and taken others, and the process that saw it may be gone.
 */
export function missingIn(redis: RedisView, { version, ops }: DurableHead): string | undefined {
  const newest = redis.state === 'live' ? operationAt(ops, version)?.id : undefined
  return newest === redis.operation || redis.remembered.has(newest ?? '') ? undefined : newest
}

/** The case after an opening by Redis alone. */
function isOnlyFenceAhead({ state, version, fence }: Version, durable: DurableVersion): boolean {
  return state === 'live' && version === durable.version && fence > durable.fence
}

function isWhole({ exists, isPart }: DurableVersion): boolean {
  return exists && !isPart
}

/**
 * Whether Redis knows all of a session whose head the durable store has lost. The durable store then ignores its
 * fields, of which `highestVersion` is the newest.
 */
export function knowsAll({ state, version }: Version, highestVersion: number): boolean {
  return (state === 'live' || state === 'deleted') && highestVersion <= version
}

/**
 * The distance between a write past Redis and the version that it finds in the durable store. It outranks whatever
 * Redis holds. A process that knows the version of Redis can tell how a later version came about:
 *
 *     Redis       40 ── 41 ── 42                    42 was seen here
 *     durable     40 ─ ─ ─ ─ ─ ─ 40 + STEP ──► …    beyond 42 by less than a whole step: it was built on 40, without 42
 *                 42 ─ ─ ─ ─ ─ ─ 42 + STEP ──► …    beyond 42 by one whole step: it has 42
 */
export const BYPASS_STEP = 2 ** 20

/**
 * I7: whether a durable store with this head has all that a process has seen. `seen` is the highest version seen
 * anywhere, `hot` the highest seen in Redis; 0 for none. Another process may have written past Redis without the
 * entries that waited in the outbox; then `hot` is above the version that the first such write found.
 */
export function covers({ exists, isPart, version }: DurableVersion, seen: number, hot: number): boolean {
  if (!exists || isPart || version < seen) return false
  const beyond = version - hot
  return hot === 0 || (beyond >= 0 && beyond % BYPASS_STEP < BYPASS_STEP / 2)
}

/** I14: whether an answer of Redis is as new as what this process has seen, and as its claim (`token`, 0 without one). */
export function isBelievable(
  { exists, version, fence }: Pick<Head, 'exists' | 'version' | 'fence'>,
  seen: number,
  token: number,
): boolean {
  return exists && version >= seen && fence >= token
}

/**
 * How the session in Redis follows from what this process has seen of it, as far as Redis remembers.
 *
 *   'continues'  it has all that was seen, or is behind: see isBelievable
 *   'diverged'   it has other writes in place of one that was seen: Redis has lost that one
 *   'other'      another process has begun or healed the session since
 */
export function judge(known: KnownHistory, found: Head): 'continues' | 'diverged' | 'other' {
  if (!found.exists || found.ops === undefined || found.version < known.version) return 'continues'
  const { kind } = compareHistories(known, found, [])
  return kind === 'continues' || kind === 'diverged' ? kind : 'other'
}

/** Whether the session in Redis is as new as what this process has seen, for an opening without the durable store. */
export function isOpenable({ state, version }: Version, seen: number): boolean {
  return state === 'live' && version >= seen
}

/**
 * Whether Redis has given a write a version that was taken before (`highest` or lower): Redis has lost writes since. A
 * repeated write is exempt, because it keeps the version of its first attempt.
 */
export function isTakenTwice(taken: { version: number; isRepeated: boolean }, highest: number): boolean {
  return taken.version <= highest && !taken.isRepeated
}

/**
 * Whether Redis has lost a write that the durable store has, as far as Redis remembers. `applied`: the durable store's
 * answer to `late`, which came late there. In most cases another process was faster with a later write, and Redis
 * remembers both. Redis may have lost the later one before it took these, or these since.
 */
export function isForked(
  { version, newest }: Applied,
  late: readonly Operation[],
  redis: RedisView,
): boolean {
  const mayBeLost = (operation: Operation) =>
    isLost(operation, redis) || (redis.state === 'cold' && !redis.remembered.has(operation.id))
  return late.some(mayBeLost) || (newest === undefined ? redis.version < version : mayBeLost(newest))
}

/** Redis remembers another operation of that version or before. */
function isLost({ id, version }: Operation, { remembered, lowestVersion }: RedisView): boolean {
  return !remembered.has(id) && lowestVersion <= version
}

/**
 * The operation of the durable store that a late write counts above; `undefined` if it counts above none. It is the last
 * one of another history: Redis took the write after it had lost that operation, and not before. The two instants are those
 * of one Redis, and of its replicas.
 */
export function outranked(
  write: Omit<PendingWrite, 'writes'>,
  applied: Pick<Applied, 'version' | 'ops' | 'missing'>,
  redis: RedisView,
): AppliedOperation | undefined {
  const rival = mayCount(write, applied) ? rivalOf(write, applied, redis) : undefined
  if (rival === undefined || write.updatedAtMs < rival.updatedAtMs) return undefined
  if (write.updatedAtMs > rival.updatedAtMs) return rival
  return isAbove(rival.id) && write.version > versionBelow(rival.id) ? rival : undefined
}

function rivalOf(
  { operationId, version }: Pick<PendingWrite, 'operationId' | 'version'>,
  { version: durable, ops }: Pick<Applied, 'version' | 'ops'>,
  redis: RedisView,
): AppliedOperation | undefined {
  const isLostThere = (one: Operation) => redis.state === 'live' && isLost(one, redis)
  // What was written past Redis is far above, and its instant is of another clock.
  const isFromRedis = (one: Operation) => one.version < version + BYPASS_STEP / 2
  const last = operationAt(ops, durable)
  if (last === undefined || isAbove(last.id)) return last // Redis may know nothing of it any more
  if (isFromRedis(last)) return isLostThere(last) ? last : undefined
  const before = operationsIn(ops).filter(
    one => one.id !== operationId && (isAbove(one.id) ? one.version >= version : isFromRedis(one)),
  )
  // Those that Redis took after the write count above it, where they are.
  if (before.some(one => one.version > version && redis.remembered.has(one.id))) return undefined
  return before
    .filter(one => isAbove(one.id) || isLostThere(one))
    .reduce<AppliedOperation | undefined>(highest, undefined)
}

function highest(one: AppliedOperation | undefined, other: AppliedOperation): AppliedOperation {
  return one !== undefined && one.version > other.version ? one : other
}

/** Whether a late write may count above operations of the durable store: `outranked` says whether it does. */
export function mayCount(
  { kind, operationId }: Pick<PendingWrite, 'kind' | 'operationId'>,
  { version, ops, missing }: Pick<Applied, 'version' | 'ops' | 'missing'>,
): boolean {
  return kind === 'fields' && missing.includes(operationId) && operationAt(ops, version) !== undefined
}

/** The version of a write that counts above `rival`: below all that was written past Redis since. */
export function versionAbove(
  { id, version }: Operation,
  write: { version: number },
  durable: number,
): number {
  if (version === durable) return version + BYPASS_STEP
  return Math.max(version, write.version) + (isAbove(id) ? 1 : BYPASS_STEP / 4)
}

/** The operation that applies a write once more, above another history. It keeps the instant that Redis gave the write. */
export function toIdAbove({ operationId, version }: Pick<PendingWrite, 'operationId' | 'version'>): string {
  return `${ABOVE}${version}.${operationId}`
}

const ABOVE = 'above.'
const isAbove = (id: string) => id.startsWith(ABOVE)
/** The version that Redis gave the write. */
const versionBelow = (id: string) => Number(id.split('.')[1])

type Operation = Pick<AppliedOperation, 'id' | 'version'>
