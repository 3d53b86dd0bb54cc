import { CorruptValueError } from '../core/errors.js'
import { isObject } from '../core/is-object.js'
import { isOwner } from '../core/names.js'
import { MAX_COUNT, MAX_STORED_COUNT } from '../core/store/arguments.js'
import { isPossibleEnd } from '../core/store/life.js'
import type { ChainDocument, FieldDocument, HeadDocument } from './documents.js'

/** The last instant in JavaScript. */
const MAX_INSTANT = 8.64e15
/** Ten times the longest text that the library writes. */
const MAX_TEXT_LENGTH = 16 * 1024
/** Most parts of an intent, of 12 MiB each. */
const MAX_PARTS = 1000
const CHAIN = /^[\w-]{1,64}$/
const INCARNATION = /^\S{0,256}$/

/** For a filter that compares a member: a comparison also matches elements of lists. */
export const NO_LIST = { $not: { $type: 'array' } }

type Stored = Readonly<Record<string, unknown>>
type Check = (value: unknown) => boolean

const optional =
  (check: Check): Check =>
  value =>
    value === undefined || value === null || check(value)
const isWhole: Check = value =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < MAX_COUNT
const isCount: Check = value => isWhole(value) && (value as number) <= MAX_STORED_COUNT
const isVersion: Check = value => isWhole(value) && value !== 0
const isInstant: Check = value =>
  value instanceof Date && value.getTime() >= 0 && value.getTime() < MAX_INSTANT
const isText: Check = value => typeof value === 'string' && value.length <= MAX_TEXT_LENGTH
const isTrue: Check = value => value === true
const isBytes: Check = value => Buffer.isBuffer(value)

const HEAD: readonly (readonly [name: keyof HeadDocument, check: Check])[] = [
  ['v', isCount],
  ['late', optional(isWhole)],
  ['fence', isCount],
  ['updatedAt', isInstant],
  ['since', isCount],
  ['isPart', optional(isTrue)],
  ['ops', isText],
  ['incarnation', optional(value => typeof value === 'string' && INCARNATION.test(value))],
  ['forks', optional(isText)],
  ['endsAt', optional(isInstant)],
  ['keptUntil', optional(isInstant)],
  ['expiresAt', optional(isInstant)],
  ['leaseUntil', optional(isInstant)],
  ['barredBelow', optional(isCount)],
  ['intent', optional(isIntent)],
]

const NOTES: Readonly<Record<string, Check>> = { createdAt: isInstant, claimedAt: isInstant, owner: isOwner }

/**
 * Throws `CORRUPT_VALUE` for a head that this library cannot have written. Leaves out members that are `null`: some
 * client settings store `undefined` so.
 */
export function toHead(document: object, sessionId: string): HeadDocument {
  const damaged = findDamage(document, sessionId)
  if (damaged === undefined) return withoutUnknown(document) as HeadDocument
  throw new CorruptValueError(`The member "${damaged}" of the session's head in MongoDB is damaged.`, {
    sessionId,
  })
}

export function hasShape(head: object, sessionId: string): boolean {
  return findDamage(head, sessionId) === undefined
}

/** The first damaged member. */
function findDamage(head: object, sessionId: string): string | undefined {
  const stored = head as Stored
  if (stored.session !== undefined && stored.session !== sessionId) return 'session'
  // A head without a session has `expiresAt` only. With other dates, it has lost its session's name.
  const { endsAt = null, keptUntil = null, expiresAt = null } = stored
  const isKeptVacant = endsAt === null && keptUntil === null && expiresAt !== null
  if (stored.session === undefined && !isKeptVacant) return 'session'
  const damaged = HEAD.find(([name, check]) => !check(stored[name]))?.[0]
  // A session cannot begin after its last version: all its fields would count as left-overs.
  const isAhead = stored.session !== undefined && (stored.since as number) > (stored.v as number)
  return damaged ?? (isAhead ? 'since' : endsTooEarly(stored) ? 'endsAt' : undefined)
}

function endsTooEarly({ endsAt, updatedAt }: Stored): boolean {
  return endsAt instanceof Date && !isPossibleEnd(endsAt.getTime(), (updatedAt as Date).getTime())
}

/** Without notes for the catalogue that are damaged: they count as unknown, and the session itself is sound. */
function withoutUnknown(document: object): object {
  const isKept = ([name, value]: [string, unknown]) => value !== null && (NOTES[name]?.(value) ?? true)
  return Object.fromEntries(Object.entries(document).filter(isKept))
}

/** `hasData`: whether the reader asked for the data as well. */
export function toField(document: object, sessionId: string, hasData: boolean): FieldDocument {
  const { v, gone, data, writes } = document as Stored
  const isGone = gone === true
  const isEmpty = data === undefined || data === null
  const isFilled = isGone ? isEmpty : !hasData || isBytes(data)
  const isSound = isVersion(v) && (isGone || gone == null) && isFilled && writes == null
  if (isSound) return document as FieldDocument
  throw new CorruptValueError('A document of the session in MongoDB is damaged.', { sessionId })
}

/** The writes of all parts of a chain. */
export function toChain(documents: readonly object[], sessionId: string): ChainDocument['writes'] {
  return documents.flatMap(document => {
    const { writes } = document as Stored
    if (isWrites(writes)) return writes as ChainDocument['writes']
    throw new CorruptValueError('A part of a write of the session in MongoDB is damaged.', { sessionId })
  })
}

/** The usable counts of a damaged head, so that no later version or token is below them. */
export function salvage(document: object): { v: number; fence: number } {
  const { v, fence } = document as Stored
  const toCount = (value: unknown) => (isCount(value) ? (value as number) : 0)
  return { v: toCount(v), fence: toCount(fence) }
}

function isIntent(intent: unknown): boolean {
  if (!isObject(intent)) return false
  const { v, purge, chain, parts, writes } = intent as Stored
  if (!isWhole(v)) return false
  if (purge !== undefined) return purge === true
  if (chain === undefined) return isWrites(writes)
  return typeof chain === 'string' && CHAIN.test(chain) && isWhole(parts) && (parts as number) <= MAX_PARTS
}

function isWrites(writes: unknown): boolean {
  return Array.isArray(writes) && writes.every(isWrite)
}

function isWrite(write: unknown): boolean {
  if (!isObject(write)) return false
  const { at, data, v } = write as Stored
  return (
    typeof at === 'string' &&
    at.includes('/') &&
    (data === undefined || isBytes(data)) &&
    (v === undefined || isWhole(v))
  )
}
