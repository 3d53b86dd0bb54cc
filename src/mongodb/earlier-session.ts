import { withLease } from '../core/connection/connection-pool.js'
import type { CommonOptions } from '../core/input/options.js'
import { isObject } from '../core/is-object.js'
import {
  EarlierCodec,
  type EarlierOptions,
  type EarlierValue,
  type Table,
} from '../core/transfer/earlier-codec.js'
import {
  type EarlierRecords,
  type EarlierSession,
  READING_MS,
  toRecords,
} from '../core/transfer/earlier-session.js'
import type { MongoConnection } from './connection.js'
import { toStoreError } from './mongo-errors.js'
import { type MongoOptions, parseMongoOptions, toCollection } from './mongo-options.js'
import { openConnection } from './open-connection.js'

/** Where MongoDB is, as for a store, and the `masterKey` of the earlier store, as it was given there. */
export type EarlierMongoOptions = Omit<MongoOptions, keyof CommonOptions> & EarlierOptions

/** A session and its version, which orders it among the entries of an outbox. */
export interface EarlierDocument extends EarlierSession {
  version: number
}

const NONCE_BYTES = 12

/**
 * A session that the MongoDB store of releases 1.0.0-rc.1 to rc.6 has left, for `importSession`. Writes nothing. Throws
 * `INVALID_OPTION` if there is none of this name, `SESSION_INCOMPLETE` for one without creds, `DECRYPTION_FAILED`,
 * `CORRUPT_VALUE` and `STORE_UNAVAILABLE`.
 */
export async function* readEarlierMongoSession(
  options: EarlierMongoOptions,
  sessionId: string,
): EarlierRecords {
  const { masterKey, ...place } = options
  const codec = await EarlierCodec.create(sessionId, masterKey)
  const parsed = parseMongoOptions(place)
  const opening = openConnection(parsed, READING_MS)
  yield* toRecords(codec, await withLease(opening, connection => findInMongo(connection, parsed, codec)))
}

/** `undefined`: there is none. */
export async function findInMongo(
  connection: MongoConnection,
  options: MongoOptions,
  codec: EarlierCodec,
): Promise<EarlierDocument | undefined> {
  const document = await findDocument(connection, options, codec.sessionId)
  if (!isObject(document)) return undefined
  const { creds, keys = {}, appState, version } = document
  const read = (name: string, text: unknown) => codec.decode(name, toValue(codec, name, text))
  const types = Object.entries(codec.assertTable('keys', keys))
  return {
    creds: creds === undefined ? undefined : read('creds', creds),
    keys: Object.fromEntries(types.map(([type, text]): [string, Table] => [type, read(type, text)])),
    appState: appState === undefined ? undefined : read('appState', appState),
    version: Number.isSafeInteger(version) ? (version as number) : 0,
  }
}

async function findDocument(
  connection: MongoConnection,
  options: MongoOptions,
  sessionId: string,
): Promise<unknown> {
  try {
    await connection.link.connecting(() => connection.client.connect())
    const { documents } = toCollection(connection, options)
    const [document] = await documents.find({ _id: sessionId }, { limit: 1 }).toArray()
    return document
  } catch (error) {
    throw toStoreError(error, connection.link)
  }
}

/** Without encryption there is no nonce, and the first bytes are the value's own. */
function toValue(codec: EarlierCodec, name: string, text: unknown): EarlierValue {
  if (typeof text !== 'string') throw codec.toCorrupt(name)
  const bytes = Buffer.from(text, 'base64')
  return { nonce: bytes.subarray(0, NONCE_BYTES), ciphertext: bytes.subarray(NONCE_BYTES), keyId: undefined }
}
