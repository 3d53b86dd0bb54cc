import { toCommitted, toDeleted, toInteger, toList, toWhole } from '../redis/replies.js'
import type { Reply } from '../redis/scripts.js'
import type { RedisView } from './session/compare.js'

export interface RedisCommit {
  version: number
  updatedAtMs: number
  /** The session's incarnation after the write. */
  incarnation: string
  /** Whether it changed the session, and so has an entry in the outbox. */
  isEntered: boolean
  /** Whether the session began with this write. */
  begins: boolean
  /** Whether it repeats a write that was carried out before, e.g. because the answer was lost. */
  isRepeated: boolean
  /** The operation before it, if entries of other writes wait in the outbox; '?': unknown, '': none waits. */
  operationBefore: string
}

export interface RedisDeletion {
  version: number
  /** The fence of the tombstone: above every token handed out. */
  fence: number
  /** Always: a deletion leaves a tombstone and an entry in the outbox. */
  isEntered: true
  /** Whether there was a session to remove; a repeated deletion does not know any more. */
  hadSession: boolean
  /** See `RedisCommit`. */
  isRepeated: boolean
  operationBefore: string
  /** In milliseconds since the epoch. */
  deletedAtMs: number
}

/** Effects, as lua/commit.lua and lua/delete.lua return them. */
const REMOVAL = 1
const BEGINNING = 2
const REPEATED = 3
const REPEATED_BEGINNING = 4

/** Decodes a reply of lua/commit.lua. */
export function toRedisCommit(reply: Reply): RedisCommit {
  const { effect, ...taken } = toCommitted(reply)
  return {
    ...taken,
    isEntered: effect > 0,
    begins: effect === BEGINNING || effect === REPEATED_BEGINNING,
    isRepeated: effect === REPEATED || effect === REPEATED_BEGINNING,
  }
}

/** Decodes a reply of lua/delete.lua. */
export function toRedisDeletion(reply: Reply): RedisDeletion {
  const { effect, ...taken } = toDeleted(reply)
  return { ...taken, isEntered: true, hadSession: effect === REMOVAL, isRepeated: effect === REPEATED }
}

/** Decodes a reply of lua/peek.lua. */
export function toRedisView(reply: Reply): RedisView {
  const [, state, version, fence, updatedAt, remembered, leaseMs, operation, lowest] = reply
  return {
    state: String(state) as RedisView['state'],
    version: toInteger(version),
    fence: toInteger(fence),
    updatedAtMs: toInteger(updatedAt),
    remembered: new Set(toList(remembered).map(String)),
    leaseMs: toInteger(leaseMs),
    operation: String(operation),
    lowestVersion: toWhole(String(lowest)) ?? Number.POSITIVE_INFINITY,
  }
}
