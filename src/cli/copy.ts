import { type AuthStore, importSession, readSession } from '@luoarch/baileys-store-core'
import { forEach } from '../core/for-each.js'
import { type Context, DONE, FAILED } from './context.js'
import { codeOf } from './output.js'
import { Progress } from './progress.js'

export interface CopyOptions {
  /** Copy over sessions that are there. */
  replaces: boolean
  isDryRun: boolean
  /** Sessions at once. */
  concurrency: number
}

type Outcome = 'copied' | 'there already' | 'would copy'

/** Copies sessions from one store into another; all of them if none is named. */
export async function copy(
  from: AuthStore,
  to: AuthStore,
  sessionIds: readonly string[],
  options: CopyOptions,
  context: Context,
): Promise<number> {
  const { output, signal } = context
  const progress = new Progress('sessions', sessionIds.length || undefined)
  const failed: string[] = []
  const copyOne = async (sessionId: string) => {
    if (signal.aborted) return
    try {
      const { outcome, ...report } = await copySession(from, to, sessionId, options, signal)
      output.result({ sessionId, outcome, ...report }, `${outcome}  ${sessionId}`)
    } catch (error) {
      failed.push(sessionId)
      if (!signal.aborted) output.error(error)
    }
    progress.advance()
  }
  await forEach(sessionIds.length > 0 ? sessionIds : namesOf(from), options.concurrency, copyOne)
  progress.end()
  if (signal.aborted)
    output.note('Interrupted. The same command goes on: it passes over sessions that are there.')
  else if (failed.length > 0) output.note(`Not copied: ${failed.length}.`)
  return signal.aborted || failed.length > 0 ? FAILED : DONE
}

async function copySession(
  from: AuthStore,
  to: AuthStore,
  sessionId: string,
  { replaces, isDryRun }: CopyOptions,
  signal: AbortSignal,
): Promise<{ outcome: Outcome; types?: object }> {
  if (isDryRun) {
    const found = await to.describe(sessionId)
    return { outcome: found === null || replaces ? 'would copy' : 'there already' }
  }
  try {
    const source = untilAborted(readSession(from, sessionId), signal)
    const { types } = await importSession(to, sessionId, source, { replace: replaces })
    return { outcome: 'copied', types }
  } catch (error) {
    if (codeOf(error) !== 'VERSION_MISMATCH') throw error
    return { outcome: 'there already' }
  }
}

async function* namesOf(store: AuthStore): AsyncGenerator<string> {
  for await (const { sessionId } of store.sessions()) yield sessionId
}

/** An import whose source throws leaves no session. */
export async function* untilAborted<T>(
  source: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  for await (const record of source) {
    if (signal.aborted) throw new Error('Interrupted: the session was not imported.')
    yield record
  }
}
