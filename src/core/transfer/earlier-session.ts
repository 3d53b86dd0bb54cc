import { APP_STATE_TYPE, CREDS_FIELD } from '../backend.js'
import { InvalidOptionError, SessionIncompleteError } from '../errors.js'
import { isPlainObject } from '../is-object.js'
import type { EarlierCodec, Table } from './earlier-codec.js'
import type { SessionRecord, SkippedRecord } from './session-source.js'

/** A session as releases 1.0.0-rc.1 to rc.6 stored it. */
export interface EarlierSession {
  creds: Table | undefined
  /** By type and id; `undefined`: they are lost, or nothing was ever written. */
  keys: Table | undefined
  appState: Table | undefined
}

export type EarlierRecords = AsyncGenerator<SessionRecord | SkippedRecord, void, undefined>

/** Milliseconds for each question to a database: all keys of a session are one value there. */
export const READING_MS = 30_000
const LOST =
  'The session has keys there, and no creds: they have expired or were lost. Restore that store from a backup.'

/**
 * `session`: as it was found; `undefined`: there is none. Throws `INVALID_OPTION` then, `SESSION_INCOMPLETE` for one without
 * creds, and `CORRUPT_VALUE`.
 */
export function* toRecords(
  codec: EarlierCodec,
  session: EarlierSession | undefined,
): Generator<SessionRecord, void, undefined> {
  const { sessionId } = codec
  if (session === undefined) {
    throw new InvalidOptionError(
      'Releases 1.0.0-rc.1 to rc.6 have left no session of this name there, or it has expired.',
    )
  }
  const { creds, keys = {}, appState = {} } = session
  if (creds === undefined) throw new SessionIncompleteError({ sessionId }, LOST)
  yield { ...CREDS_FIELD, value: creds }
  for (const [type, values] of Object.entries({ ...keys, [APP_STATE_TYPE]: appState })) {
    for (const [id, value] of Object.entries(codec.assertTable(type, values))) yield { type, id, value }
  }
}

/** Creds that are marked as registered count for nothing here: those releases could lose the account alone. */
export function namesAccount(creds: Table | undefined): boolean {
  return isPlainObject(creds?.me)
}
