import {
  type AuthStore,
  importSession,
  readMultiFileAuthState,
  type SessionSource,
} from '@luoarch/baileys-store-core'
import { type Context, DONE } from './context.js'
import { untilAborted } from './copy.js'
import { Misuse } from './misuse.js'
import { splitMongoUrl } from './place.js'
import { Progress } from './progress.js'

export interface SourceOptions {
  /** `multi-file:FOLDER`, or `earlier:` and a URL. */
  from: string
  /** Beside `earlier:redis://…`: the other database of the earlier hybrid store. */
  fromMongo: string | undefined
  /** As the earlier store was given it. */
  masterKey: string | undefined
}

export interface ImportOptions {
  replaces: boolean
  isDryRun: boolean
}

const FORMS =
  'multi-file:FOLDER, earlier:redis://HOST, earlier:mongodb://HOST/DATABASE?collection=NAME, or the first of these two with --from-mongo URL'

/** Imports one session. With `isDryRun`, reads all of the source and writes nothing. */
export async function importOne(
  store: AuthStore,
  sessionId: string,
  source: SessionSource,
  { replaces, isDryRun }: ImportOptions,
  { output, signal }: Context,
): Promise<number> {
  if (isDryRun) {
    const { count, skipped } = await readAll(untilAborted(source, signal))
    output.result({ sessionId, count, skipped, isDryRun }, `would import ${count} values into ${sessionId}`)
    for (const one of skipped) output.note(`skipped ${one.skipped}: ${one.reason}`)
    return DONE
  }
  const progress = new Progress('values', undefined)
  const report = await importSession(store, sessionId, untilAborted(source, signal), {
    replace: replaces,
    onProgress: stored => progress.reach(stored),
  }).finally(() => progress.end())
  const counts = Object.entries(report.types).map(
    ([type, { count, bytes }]) => `  ${type.padEnd(24)} ${count} (${bytes} bytes)`,
  )
  output.result(
    report,
    [`imported ${sessionId}, ${report.isPaired ? 'paired' : 'not paired'}`, ...counts].join('\n'),
  )
  for (const { skipped, reason } of report.skipped) output.note(`skipped ${skipped}: ${reason}`)
  return DONE
}

/** Throws `Misuse`. `sessionId`: the name in the source. */
export async function openSource(
  sessionId: string,
  { from, fromMongo, masterKey }: SourceOptions,
): Promise<SessionSource> {
  const [kind = ''] = from.split(':', 1)
  const rest = from.slice(kind.length + 1)
  if (kind === 'multi-file') return readMultiFileAuthState(rest)
  if (kind !== 'earlier') throw new Misuse(`Name the source: ${FORMS}.`)
  if (/^mongodb(\+srv)?:/.test(rest)) {
    const { readEarlierMongoSession } = await import('@luoarch/baileys-store-core/mongodb')
    return readEarlierMongoSession({ ...splitMongoUrl(rest), masterKey }, sessionId)
  }
  if (!/^rediss?:/.test(rest)) throw new Misuse(`Name the source: ${FORMS}.`)
  if (fromMongo === undefined) {
    const { readEarlierRedisSession } = await import('@luoarch/baileys-store-core/redis')
    return readEarlierRedisSession({ redisUrl: rest, masterKey }, sessionId)
  }
  const { readEarlierHybridSession } = await import('@luoarch/baileys-store-core/hybrid')
  const { mongoUrl, collection } = splitMongoUrl(fromMongo)
  return readEarlierHybridSession(
    { redisUrl: rest, mongoUrl, mongoCollection: collection, masterKey },
    sessionId,
  )
}

async function readAll(source: SessionSource) {
  let count = 0
  const skipped: { skipped: string; reason: string }[] = []
  for await (const record of source) {
    if ('skipped' in record) skipped.push(record)
    else count++
  }
  return { count, skipped }
}
