import { randomBytes } from 'node:crypto'
import type { AppliedOperation } from '../backend.js'

/** Operations remembered of a session, at least: as many as may be unanswered after a lost connection. */
export const MAX_REMEMBERED = 16
/** Operations of one version are forgotten together, so a session may remember some more. */
const MAX_LINES = 256
const LINE = /^\S+ \d{1,16} \d{1,16}$/

/**
 * Makes ids of operations: a random prefix for the store, and a count. They are short, because sessions keep the last
 * ones.
 */
export class OperationIds {
  readonly #store = randomBytes(9).toString('base64url')
  #count = 0

  next(): string {
    return `${this.#store}.${(this.#count++).toString(36)}`
  }

  isOwn(operationId: string): boolean {
    return operationId.startsWith(this.#store)
  }
}

/** `remembered`: a line `<id> <version> <updatedAtMs>` for each operation, the latest first. */
export function findOperation(remembered: Remembered, id: string): AppliedOperation | undefined {
  const line = linesOf(remembered).find(known => known.startsWith(`${id} `))
  return line === undefined ? undefined : parse(line)
}

/** The operation that was noted last, if it took this version; else empty, as for a malformed text. */
export function lastOperation(remembered: Remembered, version: number): string {
  const [, id = '', at] = /^(\S+) (\d+) \d+(?:\n|$)/.exec(remembered ?? '') ?? []
  return Number(at) === version ? id : ''
}

/** The operation that took this version first, if it is still remembered. */
export function operationAt(remembered: Remembered, version: number): AppliedOperation | undefined {
  return operationsIn(remembered).findLast(known => known.version === version)
}

/**
 * The operation of the highest version noted before `id`; `undefined` if that version is not higher, or `id` is
 * forgotten.
 */
export function overtakerOf(remembered: Remembered, id: string): AppliedOperation | undefined {
  const known = operationsIn(remembered)
  const at = known.findIndex(operation => operation.id === id)
  if (at < 0) return undefined
  const highest = known.slice(at).reduceRight((one, later) => (later.version > one.version ? later : one))
  return highest.id === id ? undefined : highest
}

/**
 * Whether the session lacks the operation `id`, which took this version: it remembers another one from then or before.
 */
export function hasLost(remembered: Remembered, id: string, version: number): boolean {
  const known = operationsIn(remembered)
  return known.some(other => other.version <= version) && !known.some(operation => operation.id === id)
}

/** All remembered operations, the latest first. */
export function operationsIn(remembered: Remembered): AppliedOperation[] {
  return linesOf(remembered).map(parse)
}

/** The operations remembered after this version, the one that was noted first before all others. */
export function operationsAfter(remembered: Remembered, version: number): AppliedOperation[] {
  return operationsIn(remembered)
    .filter(later => later.version > version)
    .reverse()
}

/** The highest version first; of operations that took the same one, the first one first. */
export function sortOperations(remembered: Remembered): string {
  const lines = linesOf(remembered).reverse()
  return lines.sort((one, other) => parse(other).version - parse(one).version).join('\n')
}

/** Whether noting an operation of this version would push out a later one: the memory is full of later ones. */
export function isForgotten(remembered: Remembered, version: number): boolean {
  const known = operationsIn(remembered)
  return known.length >= MAX_REMEMBERED && known.every(operation => operation.version > version)
}

/** Forgets damaged lines. */
export function noteOperation(remembered: Remembered, applied: AppliedOperation): string {
  const { id, version, updatedAtMs } = applied
  const sound = linesOf(remembered).filter(line => LINE.test(line))
  return [`${id} ${version} ${updatedAtMs}`, ...withRoom(sound)].join('\n')
}

/** Forgets the lowest versions, each with all operations that took it: see `hasLost`. */
function withRoom(lines: string[]): string[] {
  if (lines.length < MAX_REMEMBERED) return lines
  const versions = lines.map(line => parse(line).version)
  const lowest = Math.min(...versions)
  const left = lines.filter((_, i) => versions[i] !== lowest)
  return left.length < MAX_REMEMBERED - 1 ? lines : withRoom(left)
}

type Remembered = string | null | undefined

/** Not all lines of a text that this library cannot have written: damage must cost neither time nor memory. */
function linesOf(remembered: Remembered): string[] {
  return remembered?.split('\n', MAX_LINES).filter(line => line !== '') ?? []
}

function parse(line: string): AppliedOperation {
  const [id = '', version, updatedAtMs] = line.split(' ')
  return { id, version: Number(version), updatedAtMs: Number(updatedAtMs) }
}
