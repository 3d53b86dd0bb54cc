import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { TYPESCRIPT } from './typescript.js'

const PROGRAM = fileURLToPath(new URL('./store-process.ts', import.meta.url))

/** A module whose default export opens a store from the options. */
export interface StoreSource {
  module: string
  options: unknown
}

export type WriterTask =
  /** Writes so many keys, each by a `set` of its own, all at once. */
  | { kind: 'keys'; sessionId: string; prefix: string; count: number; creds?: { registrationId: number } }
  /** Writes one growing number to all of so many keys, again and again, until it is killed. */
  | { kind: 'burst'; sessionId: string; width: number }

export type WriterOptions = StoreSource & { task: WriterTask }
export type WriterReport = { versions: number[] } | { acknowledged: number }

function startWriter(options: WriterOptions): ChildProcess {
  return fork(PROGRAM, [JSON.stringify(options)], { execArgv: TYPESCRIPT })
}

/** Resolves with the versions that the writes took, when the process has ended. */
export async function writeKeysElsewhere(source: StoreSource, task: WriterTask): Promise<number[]> {
  const child = startWriter({ ...source, task })
  const exited = once(child, 'exit')
  const [said] = (await Promise.race([once(child, 'message'), exited.then(fail)])) as [{ versions: number[] }]
  await exited
  return said.versions
}

/**
 * Lets a burst run until so many writes are acknowledged, then kills it; resolves with the last one that was. `prepare`
 * comes between the two: more may be acknowledged until it has ended.
 */
export async function killBurst(
  source: StoreSource,
  task: WriterTask,
  after: number,
  prepare?: () => Promise<void>,
): Promise<number> {
  const child = startWriter({ ...source, task })
  const exited = once(child, 'exit')
  const kill = () => void child.kill('SIGKILL')
  let acknowledged = 0
  child.on('message', (said: { acknowledged: number }) => {
    acknowledged = said.acknowledged
    if (acknowledged !== after) return
    if (prepare) prepare().finally(kill)
    else kill()
  })
  await exited
  return acknowledged
}

function fail(): never {
  throw new Error('the writing process has failed')
}
