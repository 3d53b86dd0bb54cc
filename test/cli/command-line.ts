import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { TYPESCRIPT } from '../support/typescript.js'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** Variables besides those of this process, without a key. */
export type Variables = Record<string, string>

/** Runs the command line as a process of its own, without a terminal. */
export function call(args: readonly string[], variables: Variables = {}): Promise<Ended> {
  return begin(args, variables).ended
}

export function begin(
  args: readonly string[],
  variables: Variables = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const env = { ...process.env, BAILEYS_MASTER_KEY: '', NO_COLOR: '1', ...variables }
  const child = spawn(process.execPath, [...TYPESCRIPT, MAIN, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const end = async () => {
    const [[code], stdout, stderr] = await Promise.all([
      once(child, 'exit') as Promise<[number | null]>,
      text(child.stdout),
      text(child.stderr),
    ])
    return { code, stdout, stderr }
  }
  return { child, ended: end() }
}

/** The objects that a command with `--json` has printed. */
export function parseLines({ stdout }: Ended): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}
