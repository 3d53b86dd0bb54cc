/**
 * What Redis and the durable store say of one session, beside what this process has seen of it: every question of the
 * form "is this new enough?" that the hybrid store asks. Pure functions.
 */
import type { Head } from '../core/backend.js'
import type { Applied, DurableHead } from '../core/durable-backend.js'
import { MAX_REMEMBERED } from '../core/store/operation-ids.js'

/** A session as Redis holds it. The states are those of lua/peek.lua. */
export interface RedisView {
  readonly state: 'cold' | 'live' | 'vacant' | 'deleted' | 'expired'
  readonly version: number
  readonly fence: number
  readonly updatedAtMs: number
  /** Whether the operation that was asked for is among the last ones that Redis remembers. */
  readonly remembers: boolean
  /** What is left of the owner's lease. */
  readonly leaseMs: number
}

/** What has to be done next, so that the two say the same of a session. */
export type Verdict =
  /** Nothing: they do. */
  | 'in step'
  /** Both have lost something of it, and neither can replace it: `SESSION_INCOMPLETE`. */
  | 'partial'
  /** Redis is to be given what the durable store has. */
  | 'load Redis'
  /** The durable store has gone back, or has let the session expire: it is to be given what Redis has. */
  | 'restore the durable store'
  /** The durable store has not heard of a claim: it is to be given the token. */
  | 'raise the durable fence'

type Version = Pick<RedisView, 'state' | 'version' | 'fence'>
type DurableVersion = Pick<DurableHead, 'exists' | 'isPart' | 'version' | 'fence'>

/**
 * The first rule that fits decides. `mustReload`: what Redis holds is not the
 * history that the durable store has, whatever the versions say.
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
  // Where there is no session, the durable store may have forgotten its tombstone.
  return !durable.exists && durable.version <= version
}

/** Redis has a part of a session that the durable store has never heard of: that is no new session. */
export function isLostInPart({ state, version }: Version, durable: DurableVersion): boolean {
  return state === 'cold' && version > 0 && !durable.exists && durable.version === 0 && durable.fence === 0
}

/** A session in Redis is believed; that there is none, only where it was deleted. Neither where it has lost a claim. */
function isRedisAhead({ state, version, fence }: Version, durable: DurableVersion): boolean {
  if (state === 'live' && version === durable.version && !isWhole(durable)) {
    return durable.isPart === true || fence >= durable.fence
  }
  return (state === 'live' || state === 'deleted') && version > durable.version && fence >= durable.fence
}

/** As after an opening without the durable store. */
function isOnlyFenceAhead({ state, version, fence }: Version, durable: DurableVersion): boolean {
  return state === 'live' && version === durable.version && fence > durable.fence
}

function isWhole({ exists, isPart }: DurableVersion): boolean {
  return exists && !isPart
}

/**
 * Whether Redis knows all of a session whose head the durable store has lost: its fields there, of which
 * `highestVersion` is the last, count as nothing then.
 */
export function knowsAll({ state, version }: Version, highestVersion: number): boolean {
  return (state === 'live' || state === 'deleted') && highestVersion <= version
}

/**
 * How far a write past Redis lies above the version that it finds. It outranks whatever Redis holds, and whoever knows
 * the version that Redis was at can tell how a later one came about:
 *
 *     Redis       40 ── 41 ── 42                    42 was seen here
 *     durable     40 ─ ─ ─ ─ ─ ─ 40 + STEP ──► …    beyond 42 by less than a whole step: it was built on 40, without 42
 *                 42 ─ ─ ─ ─ ─ ─ 42 + STEP ──► …    beyond 42 by one whole step: it has 42
 */
export const BYPASS_STEP = 2 ** 20

/**
 * I7: whether the durable store, with this head, has all that a process has seen: `seen` is the highest version, and `hot`
 * the highest in Redis; 0 where nothing was. Writes past Redis may have been made without what waited in the outbox:
 * then `hot` lies above the version that the first of them has found.
 */
export function covers({ exists, isPart, version }: DurableVersion, seen: number, hot: number): boolean {
  if (!exists || isPart || version < seen) return false
  const beyond = version - hot
  return hot === 0 || (beyond >= 0 && beyond % BYPASS_STEP < BYPASS_STEP / 2)
}

/** I14: whether an answer of Redis is as new as what this process has seen; `token`: that of its claim, 0 without one. */
export function isBelievable(
  { exists, version, fence }: Pick<Head, 'exists' | 'version' | 'fence'>,
  seen: number,
  token: number,
): boolean {
  return exists && version >= seen && fence >= token
}

/** Whether the session in Redis is as new as what this process has seen, for an opening without the durable store. */
export function isOpenable({ state, version }: Version, seen: number): boolean {
  return state === 'live' && version >= seen
}

/**
 * Whether Redis has given a write a version that was taken before, `highest` or lower: it has lost writes since. One
 * that it has only found again has the version that it had.
 */
export function isTakenTwice(taken: { version: number; isRepeated: boolean }, highest: number): boolean {
  return taken.version <= highest && !taken.isRepeated
}

/**
 * Whether Redis had lost what the durable store has when it took a write that came late there: then it does not remember
 * what the durable store did last. A write may also be late because another process was faster with a later one, which
 * Redis remembers. `redis`: with `newest` asked for.
 */
export function isForked({ version, newest }: Applied, redis: RedisView): boolean {
  if (newest === undefined) return redis.version < version
  return !redis.remembers && redis.version < newest.version + MAX_REMEMBERED
}
