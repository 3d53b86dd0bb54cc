import { CREDS_FIELD } from '../backend.js'

/** One value of a session that comes from elsewhere. The creds are of the type "creds", and have an empty id. */
export interface SessionRecord {
  type: string
  id: string
  value: unknown
}

/** What a source found and could not carry. */
export interface SkippedRecord {
  /** Its name in the source. Never its value. */
  skipped: string
  reason: string
}

/** The values of one session, in any order, each once. It throws for what it cannot read. */
export type SessionSource =
  | AsyncIterable<SessionRecord | SkippedRecord>
  | Iterable<SessionRecord | SkippedRecord>

export function isCredsRecord({ type, id }: SessionRecord): boolean {
  return type === CREDS_FIELD.type && id === CREDS_FIELD.id
}
