import type { AuthStore } from '../auth-store.js'
import { APP_STATE_TYPE, CREDS_FIELD } from '../backend.js'
import { InvalidOptionError } from '../errors.js'
import type { SessionRecord } from './session-source.js'

/**
 * A session of one of this library's stores, for `importSession` into another one: all of it as it was at one version.
 * Takes no ownership, so close its bot first: what the bot writes afterwards is not copied. Throws `INVALID_OPTION` if
 * there is no such session, and what `get` throws.
 */
export async function* readSession(
  store: AuthStore,
  sessionId: string,
): AsyncGenerator<SessionRecord, void, undefined> {
  const found = await store.get(sessionId)
  if (found === null) throw new InvalidOptionError('There is no such session to be copied.')
  const { creds, keys, appState = {} } = found.data
  yield { ...CREDS_FIELD, value: creds }
  for (const [type, values] of Object.entries({ ...keys, [APP_STATE_TYPE]: appState })) {
    for (const [id, value] of Object.entries(values)) yield { type, id, value }
  }
}
