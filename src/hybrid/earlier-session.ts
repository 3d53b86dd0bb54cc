import { withLease } from '../core/connection/connection-pool.js'
import { isPlainObject } from '../core/is-object.js'
import { EarlierCodec, type EarlierOptions, type Table } from '../core/transfer/earlier-codec.js'
import {
  type EarlierRecords,
  type EarlierSession,
  namesAccount,
  READING_MS,
  toRecords,
} from '../core/transfer/earlier-session.js'
import type { SkippedRecord } from '../core/transfer/session-source.js'
import type { MongoConnection } from '../mongodb/connection.js'
import { type EarlierDocument, findInMongo } from '../mongodb/earlier-session.js'
import { openConnection as openMongo } from '../mongodb/open-connection.js'
import type { RedisConnection } from '../redis/connection.js'
import { ask, findInRedis } from '../redis/earlier-session.js'
import { openConnection as openRedis } from '../redis/open-connection.js'
import { type HybridOptions, parseHybridOptions } from './hybrid-options.js'

/** Where the two databases are, as for a store, and the `masterKey` of the earlier store, as it was given there. */
export type EarlierHybridOptions = Pick<
  HybridOptions,
  | 'redisUrl'
  | 'redisOptions'
  | 'redis'
  | 'mongoUrl'
  | 'mongoOptions'
  | 'mongoClient'
  | 'mongoDatabase'
  | 'mongoCollection'
> &
  EarlierOptions

/** A write that waited there for MongoDB. */
interface EarlierEntry {
  version: number
  patch: Table
}

const COMPLETED = 'completed'

/**
 * A session that the hybrid store of releases 1.0.0-rc.1 to rc.6 has left, for `importSession`: what Redis has, if it has
 * all of the session; else what MongoDB has, with the writes that wait for it in Redis. Writes nothing. Throws as
 * `readEarlierRedisSession` does.
 */
export async function* readEarlierHybridSession(
  options: EarlierHybridOptions,
  sessionId: string,
): EarlierRecords {
  const { masterKey, ...place } = options
  const codec = await EarlierCodec.create(sessionId, masterKey)
  const { redis, mongo } = parseHybridOptions(place)
  const find = (hot: RedisConnection, durable: MongoConnection) =>
    Promise.all([
      findInRedis(hot, codec),
      findInMongo(durable, mongo, codec).then(document => withEntries(hot, codec, document)),
    ])
  const [inRedis, inMongo] = await withLease(openRedis(redis, READING_MS), hot =>
    withLease(openMongo(mongo, READING_MS), durable => find(hot, durable)),
  )
  const { session, skipped } = choose(inRedis, inMongo)
  yield* skipped
  yield* toRecords(codec, session)
}

/** That release read from Redis if both of its parts were there. It could lose the pairing there by a fault of its own. */
function choose(
  inRedis: EarlierSession | undefined,
  inMongo: EarlierSession | undefined,
): { session: EarlierSession | undefined; skipped: SkippedRecord[] } {
  const isWhole = inRedis?.creds !== undefined && inRedis.keys !== undefined
  if (!isWhole) return { session: inMongo ?? inRedis, skipped: [] }
  if (namesAccount(inRedis.creds) || !namesAccount(inMongo?.creds)) return { session: inRedis, skipped: [] }
  const skipped = {
    skipped: 'creds in Redis',
    reason: 'they are not paired; those in MongoDB are, and count',
  }
  return { session: { ...inRedis, creds: inMongo?.creds }, skipped: [skipped] }
}

/** What MongoDB would have, had it been given all that waits for it. */
async function withEntries(
  connection: RedisConnection,
  codec: EarlierCodec,
  document: EarlierDocument | undefined,
): Promise<EarlierSession | undefined> {
  const entries = await readEntries(connection, codec)
  const since = entries.filter(({ version }) => version > (document?.version ?? 0))
  return since.sort((a, b) => a.version - b.version).reduce<EarlierSession | undefined>(apply, document)
}

async function readEntries(connection: RedisConnection, codec: EarlierCodec): Promise<EarlierEntry[]> {
  const name = `outbox:${codec.sessionId}`
  const names = await ask(connection, client => client.hkeys(name))
  if (names.length === 0) return []
  const texts = await ask(connection, client => client.hmgetBuffer(name, names))
  return texts.flatMap(text => (text === null ? [] : toEntry(codec, text.toString())))
}

/** None if MongoDB has it. */
function toEntry(codec: EarlierCodec, text: string): EarlierEntry[] {
  const { status, version, patch } = codec.parse('outbox', text)
  if (status === COMPLETED) return []
  if (typeof version !== 'number' || !Number.isSafeInteger(version)) throw codec.toCorrupt('outbox')
  return [{ version, patch: codec.assertTable('outbox', patch) }]
}

function apply(session: EarlierSession | undefined, { patch }: EarlierEntry): EarlierSession {
  const { creds, keys, appState } = session ?? {}
  return {
    creds: isPlainObject(patch.creds) ? patch.creds : creds,
    keys: isPlainObject(patch.keys) ? change(keys, patch.keys) : keys,
    appState: isPlainObject(patch.appState) ? patch.appState : appState,
  }
}

/** The hook of that release wrote all keys each time; a call of its store wrote some of them, with `null` to remove one. */
function change(keys: Table = {}, changes: Table): Table {
  const isAll = Object.keys(keys).every(type => type in changes)
  if (isAll) return changes
  const changed = Object.entries(changes).map(([type, values]): [string, object] => {
    const before = keys[type]
    return [type, { ...(isPlainObject(before) && before), ...(isPlainObject(values) && values) }]
  })
  return { ...keys, ...Object.fromEntries(changed) }
}
