import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..', '..', '..')

/** Runs the histories on sources that are broken so; the first that goes wrong, if one does. */
export function replayBroken(mutation: string): string | undefined {
  const output = runTests('histories', mutation)
  return output === undefined ? undefined : find(/FAIL .* > (.*)/, mutation, output)[1]
}

/** Runs schedules on sources that are broken so: which seed has found what, if one has. */
export function simulateBroken(
  mutation: string,
  environment: Readonly<Record<string, string>>,
): string | undefined {
  const output = runTests('hybrid', mutation, environment)
  if (output === undefined) return undefined
  const [, seed, what] = find(/seed (\d+), [^}]*}: (.*)/, mutation, output)
  return `seed ${seed}: ${what}`
}

/** What is not found means that the tests have failed in another way. */
function find(what: RegExp, mutation: string, output: string): RegExpExecArray {
  const found = what.exec(output)
  if (found === null) throw new Error(`"${mutation}" did not run:\n${output}`)
  return found
}

/** What they print when one of them fails. */
function runTests(
  name: string,
  mutation: string,
  environment: Readonly<Record<string, string>> = {},
): string | undefined {
  const { status, stdout, stderr } = spawnSync(
    'npx',
    ['vitest', 'run', '--bail=1', `test/simulation/${name}`],
    {
      cwd: root,
      env: { ...process.env, ...environment, SIMULATION_MUTATION: mutation, NO_COLOR: '1' },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  return status === 0 ? undefined : stdout + stderr
}
