import { type ClaimTerms, type Commit, CREDS_FIELD, type Deletion, type Guard } from '../core/backend.js'
import { toBuffer } from '../core/bytes.js'
import { graceMsOf } from '../core/store/life.js'
import { fieldName } from './key-names.js'
import type { Argument } from './scripts.js'

const DAY_MS = 24 * 60 * 60 * 1000
/** A tombstone outlives every owner that could still write: an open hook renews its session at least once a day. */
export const TOMBSTONE_MS = 30 * DAY_MS

/** The outbox's part of a write: the limit of its entries, and the input of `enqueue` in lua/session.lua. */
export type EntryInput = readonly [maxEntries: number, idOpening: string, rest: string]
const NO_ENTRY: EntryInput = [0, '', '']

/** How long a session lives; `null`: for ever. After that, its bytes stay for the grace. */
export interface Lifetime {
  readonly ttlMs: number | null
  readonly graceMs: number
}

/** The lifetime of what has this name, in a store with this ttl. */
export function lifetimeOf(name: string, ttlMs: number | null): Lifetime {
  return { ttlMs, graceMs: graceMsOf(name) }
}

/** A condition that only the hybrid store sets. */
export interface Bounded {
  /**
   * I12: refuse with `SessionAheadError` unless the session is below this version. A command that arrives after a write
   * past Redis would otherwise undo that write.
   */
  readonly belowVersion?: number | undefined
}

/** The arguments of lua/commit.lua. `lifetime`: of the session, unless the commit gives it another one. */
export function toCommitInput(
  commit: Commit & Bounded,
  lifetime: Lifetime,
  entry: EntryInput = NO_ENTRY,
): Argument[] {
  const { writes, operationId, needsSession, lifeMs = lifetime.ttlMs } = commit
  const creds = writes.find(write => write.type === CREDS_FIELD.type)
  const ofKeys = writes.filter(write => write !== creds)
  const deletes = ofKeys.filter(write => write.bytes === null)
  const pairs: Argument[] = [] // ioredis writes a Uint8Array that is no Buffer as text
  for (const write of ofKeys) if (write.bytes !== null) pairs.push(fieldName(write), toBuffer(write.bytes))
  return [
    operationId,
    ...toConditions(commit),
    toHeal(commit),
    orEmpty(lifeMs),
    lifetime.graceMs,
    creds === undefined ? (needsSession ? 'need' : 'keep') : creds.bytes === null ? 'drop' : 'set',
    creds?.bytes ? toBuffer(creds.bytes) : '',
    ...entry,
    deletes.length,
    ...deletes.map(fieldName),
    ...pairs,
  ]
}

/** The arguments of lua/delete.lua. */
export function toDeletionInput(
  deletion: Deletion & Bounded,
  [, ...entry]: EntryInput = NO_ENTRY,
): Argument[] {
  const { operationId, above = 0, deletedAtMs } = deletion
  return [operationId, ...toConditions(deletion), TOMBSTONE_MS, above, orEmpty(deletedAtMs), ...entry]
}

/** The arguments of lua/claim.lua. `token`: taken instead of the next one. */
export function toClaimInput(
  { ttlMs, graceMs }: Lifetime,
  { leaseMs, owner = '', keepsLife = false }: ClaimTerms,
  token?: number,
): Argument[] {
  return [keepsLife ? 'kept' : orEmpty(ttlMs), graceMs, TOMBSTONE_MS, orEmpty(leaseMs), orEmpty(token), owner]
}

export const orEmpty = <T extends number | string>(value: T | null | undefined): T | '' => value ?? ''

/** The conditions in the order that the scripts expect. */
function toConditions(guard: Guard & Bounded): Argument[] {
  const { fencingToken, seenVersion, expectedVersion, belowVersion } = guard
  const { seenIncarnation = '', seenOperation = '', seenOwn } = guard
  const own = seenOwn ? ` ${seenOwn.version} ${seenOwn.operation}` : ''
  const seen = seenVersion === undefined ? '' : `${seenVersion} ${seenIncarnation} ${seenOperation}${own}`
  return [orEmpty(fencingToken), seen, orEmpty(expectedVersion), orEmpty(belowVersion)]
}

/** The heal argument of lua/commit.lua. */
function toHeal({ above, fork, writes }: Commit): Argument {
  if (above === undefined) return ''
  const replayed = writes.filter(({ version }) => version !== undefined)
  const journal = replayed.map(write => `\0${fieldName(write)}\0${write.version}`).join('')
  return `${above} ${fork?.at ?? ''} ${fork?.from ?? ''}\n${journal}`
}
