import { withLease } from '../core/connection/connection-pool.js'
import type { CommonOptions } from '../core/input/options.js'
import { EarlierCodec, type EarlierOptions, type EarlierValue } from '../core/transfer/earlier-codec.js'
import {
  type EarlierRecords,
  type EarlierSession,
  READING_MS,
  toRecords,
} from '../core/transfer/earlier-session.js'
import type { RedisClient } from './client.js'
import type { RedisConnection } from './connection.js'
import { DEFAULT_PREFIX } from './key-names.js'
import { openConnection } from './open-connection.js'
import { toStoreError } from './redis-errors.js'
import { parseRedisOptions, type RedisOptions } from './redis-options.js'

/** Where Redis is, as for a store, and the `masterKey` of the earlier store, as it was given there. */
export type EarlierRedisOptions = Omit<RedisOptions, keyof CommonOptions | 'prefix'> & EarlierOptions

/**
 * A session that the Redis store of releases 1.0.0-rc.1 to rc.6 has left, for `importSession`. Writes nothing. Throws
 * `INVALID_OPTION` if there is none of this name, `SESSION_INCOMPLETE` for one without creds, `DECRYPTION_FAILED`,
 * `CORRUPT_VALUE` and `STORE_UNAVAILABLE`.
 */
export async function* readEarlierRedisSession(
  options: EarlierRedisOptions,
  sessionId: string,
): EarlierRecords {
  const { masterKey, ...place } = options
  const codec = await EarlierCodec.create(sessionId, masterKey)
  const opening = openConnection(parseRedisOptions(place), READING_MS)
  yield* toRecords(codec, await withLease(opening, connection => findInRedis(connection, codec)))
}

/** `undefined`: there is none. Each of the two parts has a life of its own there. */
export async function findInRedis(
  connection: RedisConnection,
  codec: EarlierCodec,
): Promise<EarlierSession | undefined> {
  const read = async (part: string) => {
    const name = `${DEFAULT_PREFIX}:${codec.sessionId}:${part}`
    const text = await ask(connection, client => client.get(name))
    return text === null ? undefined : codec.decode(part, toValue(codec, part, text))
  }
  const [ofCreds, ofKeys] = await Promise.all([read('creds'), read('keys')])
  if (ofCreds === undefined && ofKeys === undefined) return undefined
  const { appState } = ofKeys ?? {}
  return {
    creds: ofCreds && codec.assertTable('creds', ofCreds.creds),
    keys: ofKeys && codec.assertTable('keys', ofKeys.keys ?? {}),
    appState: appState === undefined ? undefined : codec.assertTable('appState', appState),
  }
}

/** Throws what a store throws. */
export async function ask<T>(
  connection: RedisConnection,
  question: (client: RedisClient) => Promise<T>,
): Promise<T> {
  try {
    return await question(connection.client)
  } catch (error) {
    throw toStoreError(error, connection.link)
  }
}

function toValue(codec: EarlierCodec, part: string, text: string): EarlierValue {
  const { ciphertext, nonce, keyId } = codec.parse(part, text)
  if (typeof ciphertext !== 'string' || typeof nonce !== 'string' || typeof keyId !== 'string') {
    throw codec.toCorrupt(part)
  }
  return { ciphertext: Buffer.from(ciphertext, 'base64'), nonce: Buffer.from(nonce, 'base64'), keyId }
}
