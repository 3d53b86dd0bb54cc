import { CREDS_FIELD } from '../backend.js'
import { CorruptValueError } from '../errors.js'
import type { ValueName } from '../names.js'

/** `CORRUPT_VALUE` for a stored value. `fault`: the end of a sentence about it. A single key need not cost the pairing. */
export function toCorruptValue(
  { sessionId, type }: Partial<ValueName>,
  fault: string,
  cause?: unknown,
): CorruptValueError {
  const isKey = type !== undefined && type !== CREDS_FIELD.type
  const remedy = isKey
    ? `restore it from a backup, or remove that key alone by store.set(sessionId, { keys: { '${type}': { [id]: null } } })`
    : undefined
  return new CorruptValueError(`${nameValue(type)} ${fault}.`, { sessionId, cause }, remedy)
}

export function nameValue(type: string | undefined): string {
  return type === undefined ? 'A stored value' : `A value of type "${type}"`
}
