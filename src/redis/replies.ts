import type { BackendClaim, ClaimNote, Head, HistoryResult, StoredField, Summary } from '../core/backend.js'
import { InvalidOptionError } from '../core/errors.js'
import { isOwner } from '../core/names.js'
import { MAX_GIVEN_COUNT } from '../core/store/arguments.js'
import { parseForks } from '../core/store/histories.js'
import { lastOperation } from '../core/store/operation-ids.js'
import { parseFieldName } from './key-names.js'
import type { Reply } from './scripts.js'

/** The limit of instants, as in lua/session.lua. */
const MOST = 8.64e15
const WHOLE = /^\d{1,16}$/

/** A stored whole number; `undefined` if it is missing or damaged. */
export function toWhole(stored: Uint8Array | string | null | undefined): number | undefined {
  const text = stored == null ? '' : String(stored)
  return WHOLE.test(text) && Number(text) < MOST ? Number(text) : undefined
}

/** Same as `toWhole`, for a version or a token. */
export function toCount(stored: Uint8Array | string | null | undefined): number | undefined {
  const count = toWhole(stored)
  return count !== undefined && count < MAX_GIVEN_COUNT ? count : undefined
}

/** A script's reply with `1` or `0` first. The functions below read the rest. */
export function toReply(reply: unknown): Reply {
  const [first, ...rest] = toList(reply)
  return [toInteger(first), ...rest] as Reply
}

/** A client with `stringNumbers` returns numbers as text. */
export function toInteger(value: unknown): number {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (Number.isSafeInteger(number)) return number as number
  throw toChanged()
}

export function toList(reply: unknown): unknown[] {
  if (Array.isArray(reply)) return reply
  throw toChanged()
}

export function toBytes(value: unknown): Buffer | undefined {
  if (Buffer.isBuffer(value)) return value
  if (value === null) return undefined
  throw toChanged()
}

function toText(value: unknown): string {
  return String(toBytes(value) ?? '')
}

function toValueList(reply: unknown): (Buffer | undefined)[] {
  return toList(reply).map(toBytes)
}

function toChanged(): InvalidOptionError {
  return new InvalidOptionError(
    'The Redis client gives other replies than the server sends: a reply transformer (Command.setReplyTransformer), a ' +
      'transaction on the same client or a wrapper around it changes them. Give the store a client of its own.',
  )
}

/** The reply to HMGET for `count` fields; `undefined` for one that Redis cannot have sent. */
export function toHashValues(reply: unknown, count: number): (Buffer | undefined)[] | undefined {
  const isReply = Array.isArray(reply) && reply.length === count
  if (!isReply || reply.some(value => value !== null && !Buffer.isBuffer(value))) return undefined
  return reply.map(value => value ?? undefined)
}

/** The reply to HSCAN. */
export function toHashPage(reply: unknown): { cursor: string; fields: Map<string, StoredField> } {
  const [cursor, elements] = toList(reply)
  return { cursor: String(cursor), fields: toFields(toValueList(elements)) }
}

/** The reply of lua/commit.lua, which defines the effects. */
export function toCommitted([, version, updatedAtMs, effect, operationBefore, incarnation]: Reply) {
  return {
    version: toInteger(version),
    updatedAtMs: toInteger(updatedAtMs),
    incarnation: toText(incarnation),
    effect: toInteger(effect),
    operationBefore: toText(operationBefore),
  }
}

/** The reply of lua/delete.lua. */
export function toDeleted([, version, fence, effect, operationBefore, deletedAtMs]: Reply) {
  return {
    version: toInteger(version),
    fence: toInteger(fence),
    effect: toInteger(effect),
    operationBefore: toText(operationBefore),
    deletedAtMs: toInteger(deletedAtMs),
  }
}

/** The reply of lua/claim.lua. */
export function toClaim([, token, exists, version, updatedAt, incarnation, ops, creds]: Reply): BackendClaim {
  const fencingToken = toInteger(token)
  return {
    fencingToken,
    head: toHead(exists, version, token, updatedAt, incarnation, ops),
    creds: toBytes(creds),
  }
}

/** The reply of lua/read.lua with names. */
export function toValues([, exists, version, fence, updatedAt, incarnation, ops, creds, values]: Reply) {
  return {
    head: toHead(exists, version, fence, updatedAt, incarnation, ops),
    creds: toBytes(creds),
    values: toValueList(values),
  }
}

/** The reply of lua/read.lua for all fields. No `fields`: there are too many for one read. */
export function toSnapshot([, exists, version, fence, updatedAt, incarnation, ops, creds, fields]: Reply) {
  return {
    head: toHead(exists, version, fence, updatedAt, incarnation, ops),
    creds: toBytes(creds),
    fields: fields === null ? undefined : [...toFields(toValueList(fields)).values()],
  }
}

/** The reply of lua/summary.lua. Damaged notes count as unknown: the session itself is sound. */
export function toSummary(reply: Reply): Summary {
  const [
    ,
    exists,
    version,
    fence,
    updatedAt,
    incarnation,
    ops,
    createdAt,
    expiresAt,
    claim,
    leaseUntil,
    creds,
  ] = reply
  return {
    head: toHead(exists, version, fence, updatedAt, incarnation, ops),
    createdAtMs: toWhole(toBytes(createdAt)),
    expiresAtMs: toWhole(toBytes(expiresAt)),
    claim: toClaimNote(toText(claim)),
    leaseEndsAtMs: toWhole(toBytes(leaseUntil)),
    creds: toBytes(creds),
  }
}

function toClaimNote(text: string): ClaimNote | undefined {
  const at = text.indexOf(' ')
  const claimedAtMs = toWhole(text.slice(0, at))
  const owner = text.slice(at + 1)
  return claimedAtMs === undefined ? undefined : { claimedAtMs, owner: isOwner(owner) ? owner : undefined }
}

/** The reply of lua/history.lua. `names`: the fields asked for. */
export function toHistory(reply: Reply, names: readonly string[]): HistoryResult {
  const [, exists, version, fence, updatedAt, incarnation, ops, forks, journal, isThere, isDeleted] = reply
  const there = toList(isThere).map(toInteger)
  const written = parseJournal(toText(journal))
  const versionOf = (name: string, i: number) => {
    if (written) return written.get(name) ?? 0
    return there[i] === 1 ? undefined : 0
  }
  return {
    head: toHead(exists, version, fence, updatedAt, incarnation, ops),
    isDeleted: toInteger(isDeleted) === 1,
    forks: parseForks(toText(forks)),
    versions: names.map(versionOf),
  }
}

/** `undefined` if it is incomplete: missing, cut off, or damaged. */
function parseJournal(text: string): Map<string, number> | undefined {
  if (text === '' || text.endsWith('*')) return undefined
  const [, ...parts] = text.split('\0')
  const written = new Map<string, number>()
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const version = toWhole(parts[i + 1])
    if (version === undefined) return undefined
    written.set(parts[i] as string, version)
  }
  return written
}

function toHead(...[exists, version, fence, updatedAt, incarnation, remembered]: unknown[]): Head {
  const ops = toText(remembered)
  return {
    exists: toInteger(exists) === 1,
    version: toInteger(version),
    fence: toInteger(fence),
    updatedAtMs: toInteger(updatedAt),
    incarnation: toText(incarnation),
    operation: lastOperation(ops, toInteger(version)),
    ops,
  }
}

/** Names and values in turn → fields by name. */
function toFields(elements: readonly (Buffer | undefined)[]): Map<string, StoredField> {
  const fields = new Map<string, StoredField>()
  for (let i = 0; i + 1 < elements.length; i += 2) {
    const name = String(elements[i])
    const field = parseFieldName(name)
    if (field !== undefined) fields.set(name, { ...field, bytes: elements[i + 1] as Buffer })
  }
  return fields
}
