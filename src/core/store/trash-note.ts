import type { Field } from '../auth-store.js'
import type { Head } from '../backend.js'
import { CorruptValueError } from '../errors.js'
import { isObject } from '../is-object.js'

/**
 * What a copy of a deleted session says of the deletion. `copied`: the deletion has not been confirmed. `deleted`: it has
 * been. `restoring`: the session may have been written back already.
 */
export type TrashState = 'copied' | 'deleted' | 'restoring'

export interface TrashNote {
  readonly state: TrashState
  /** The version of the tombstone. After a later one, a copy that is not confirmed is out of date. */
  readonly version: number
}

/** The field beside the copied ones. The `@` keeps its type apart from every type of key. */
export const NOTE_FIELD: Field = { type: '@trash', id: '' }

const STATES: readonly unknown[] = ['copied', 'deleted', 'restoring'] satisfies TrashState[]
const MAX_NOTE_BYTES = 1000

export function encodeNote(note: TrashNote): Uint8Array {
  return Buffer.from(JSON.stringify(note))
}

/** `undefined`: it is damaged. */
export function decodeNote(bytes: Uint8Array | undefined): TrashNote | undefined {
  const { state, version } = parse(bytes) ?? {}
  if (!STATES.includes(state) || !Number.isSafeInteger(version)) return undefined
  return { state: state as TrashState, version: version as number }
}

export function toDamage(sessionId: string): CorruptValueError {
  return new CorruptValueError(
    'The copy of the deleted session is damaged: it does not tell which deletion it belongs to.',
    { sessionId },
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

/** Whether the session has not lived since. `head`: the session's. */
export function isUpToDate({ state, version }: TrashNote, head: Head): boolean {
  return state === 'deleted' || (!head.exists && head.version <= version)
}
