import type { Field } from '../auth-store.js'
import type { HistoryResult } from '../backend.js'
import { CorruptValueError } from '../errors.js'
import { isObject } from '../is-object.js'

/**
 * What a copy of a deleted session says of the deletion. `copied`: the deletion has not been confirmed. `deleted`: it has
 * been. `restoring`: the session may have been written back already.
 */
export type TrashState = 'copied' | 'deleted' | 'restoring'

export interface TrashNote {
  /** Names the copy: the operation of the deletion that it was made for. */
  readonly id: string
  readonly state: TrashState
  /** `restoring`: the version before the restoration. Else the version of the tombstone. */
  readonly version: number
  /** `copied`: the incarnation of the session that was copied. */
  readonly incarnation?: string | undefined
  /** `restoring`: the operation that writes the session back. A new life of it bears this name. */
  readonly operation?: string | undefined
}

/** The field beside the copied ones. The `@` keeps its type apart from every type of key. */
export const NOTE_FIELD: Field = { type: '@trash', id: '' }

const STATES: readonly unknown[] = ['copied', 'deleted', 'restoring'] satisfies TrashState[]
const MAX_NOTE_BYTES = 1000
const PURGE = '.purge'

export function encodeNote(note: TrashNote): Uint8Array {
  return Buffer.from(JSON.stringify(note))
}

/** `undefined`: it is damaged. */
export function decodeNote(bytes: Uint8Array | undefined): TrashNote | undefined {
  const { id, state, version, incarnation = '', operation = '' } = parse(bytes) ?? {}
  const isSound = STATES.includes(state) && Number.isSafeInteger(version) && typeof id === 'string'
  if (!isSound || typeof incarnation !== 'string' || typeof operation !== 'string') return undefined
  return { id, state: state as TrashState, version: version as number, incarnation, operation }
}

const NO_NOTE = 'it does not tell which deletion it belongs to'

/** `fault`: the end of a sentence about the copy. */
export function toDamage(sessionId: string, fault = NO_NOTE, cause?: unknown): CorruptValueError {
  return new CorruptValueError(
    `The copy of the deleted session is damaged: ${fault}.`,
    { sessionId, cause },
    'restore the session from a backup, or remove the copy by store.purge(sessionId)',
  )
}

function parse(bytes: Uint8Array | undefined): Readonly<Record<string, unknown>> | undefined {
  if (bytes === undefined || bytes.length > MAX_NOTE_BYTES) return undefined
  try {
    const note: unknown = JSON.parse(Buffer.from(bytes).toString())
    return isObject(note) ? note : undefined
  } catch {
    return undefined
  }
}

/** The id of an operation that ends a session for good. */
export function toPurge(operationId: string): string {
  return operationId + PURGE
}

/** Whether the copy has all of the session, and the session has not been restored from it. */
export async function isUpToDate(
  note: TrashNote,
  readHistory: () => Promise<HistoryResult>,
): Promise<boolean> {
  return note.state === 'deleted' || agreesWith(note, await readHistory())
}

function agreesWith(note: TrashNote, { head, forks }: HistoryResult): boolean {
  const { id, state, version, incarnation, operation } = note
  if (state === 'restoring') {
    return head.incarnation !== operation && !forks.some(({ from }) => from === operation)
  }
  if (!head.exists) {
    return head.operation === id || (head.version <= version && !head.operation.endsWith(PURGE))
  }
  // Another life of the session has begun since: after which version of the copied one?
  return incarnation !== '' && forks.some(({ from, at }) => from === incarnation && at <= version)
}
