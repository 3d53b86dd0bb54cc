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
  /** Writes `count` keys, each by a `set` of its own, all at once. */
  | { kind: 'keys'; sessionId: string; prefix: string; count: number; creds?: { registrationId: number } }
  /** Writes one growing number to each of `width` keys, again and again, until the test kills it. */
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
 * Kills a burst after `after` acknowledged writes, and resolves with the last acknowledged number. `prepare` runs before the
 * kill, and the burst goes on writing meanwhile.
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
