import { randomBytes } from 'node:crypto'
import type { AppliedOperation } from '../backend.js'

/** Most operations remembered of a session: as many as may be unanswered after a lost connection. */
export const MAX_REMEMBERED = 16

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

/** Empty if no operation is remembered, or if the text is malformed. */
export function lastOperation(remembered: Remembered): string {
  return /^(\S+) \d+ \d+(?:\n|$)/.exec(remembered ?? '')?.[1] ?? ''
}

/** The operation that took this version first, if it is still remembered. */
export function operationAt(remembered: Remembered, version: number): AppliedOperation | undefined {
  return linesOf(remembered)
    .map(parse)
    .findLast(known => known.version === version)
}

/**
 * The operation of the highest version noted before `id`; `undefined` if that version is not higher, or `id` is
 * forgotten.
 */
export function overtakerOf(remembered: Remembered, id: string): AppliedOperation | undefined {
  const known = linesOf(remembered).map(parse)
  const at = known.findIndex(operation => operation.id === id)
  if (at < 0) return undefined
  const highest = known.slice(at).reduceRight((one, later) => (later.version > one.version ? later : one))
  return highest.id === id ? undefined : highest
}

/** Whether noting an operation of this version would push out a later one: the memory is full of later ones. */
export function isForgotten(remembered: Remembered, version: number): boolean {
  const known = linesOf(remembered).map(parse)
  return known.length >= MAX_REMEMBERED && known.every(operation => operation.version > version)
}

export function noteOperation(remembered: Remembered, applied: AppliedOperation): string {
  const { id, version, updatedAtMs } = applied
  const older = linesOf(remembered).slice(0, MAX_REMEMBERED - 1)
  return [`${id} ${version} ${updatedAtMs}`, ...older].join('\n')
}

type Remembered = string | null | undefined

function linesOf(remembered: Remembered): string[] {
  return remembered?.split('\n').filter(line => line !== '') ?? []
}

function parse(line: string): AppliedOperation {
  const [id = '', version, updatedAtMs] = line.split(' ')
  return { id, version: Number(version), updatedAtMs: Number(updatedAtMs) }
}
