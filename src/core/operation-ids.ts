import { randomBytes } from 'node:crypto'

/** Operations that a store remembers a session by: those that a lost connection can leave unanswered. */
export const MAX_REMEMBERED = 16

/** Names of operations: a random beginning for the store, and a count. Short, since sessions keep the last ones. */
export class OperationIds {
  readonly #store = randomBytes(9).toString('base64url')
  #count = 0

  next(): string {
    return `${this.#store}.${(this.#count++).toString(36)}`
  }
}

/** An operation that was applied, and the version and instant that it took. */
export interface AppliedOperation {
  id: string
  version: number
  updatedAtMs: number
}

/** `remembered`: a line `<id> <version> <updatedAtMs>` for each, the last one first. */
export function findOperation(
  remembered: string | null | undefined,
  id: string,
): AppliedOperation | undefined {
  const line = remembered?.split('\n').find(known => known.startsWith(`${id} `))
  const [, version, updatedAtMs] = line?.split(' ') ?? []
  return updatedAtMs === undefined
    ? undefined
    : { id, version: Number(version), updatedAtMs: Number(updatedAtMs) }
}

/** The operation that took this version, as long as it is remembered. */
export function operationAt(remembered: string | null | undefined, version: number): string | undefined {
  const lines = remembered?.split('\n').map(line => line.split(' ')) ?? []
  return lines.find(([, taken]) => taken === String(version))?.[0]
}

export function noteOperation(remembered: string | null | undefined, applied: AppliedOperation): string {
  const { id, version, updatedAtMs } = applied
  const older = remembered?.split('\n').slice(0, MAX_REMEMBERED - 1) ?? []
  return [`${id} ${version} ${updatedAtMs}`, ...older].join('\n')
}
