import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..', '..', '..')

/**
 * Runs the histories on sources that are broken so. Returns the titles of all that go wrong: which of them is the first
 * one depends on the machine.
 */
export function replayBroken(mutation: string): string | undefined {
  const output = runTests('histories', mutation, [])
  if (output === undefined) return undefined
  const titles = find(/FAIL .* > (.*)/g, mutation, output).map(([, title]) => title)
  return titles.join('; ')
}

/** Runs schedules on sources that are broken so: which seed has found what, if one has. */
export function simulateBroken(
  mutation: string,
  environment: Readonly<Record<string, string>>,
): string | undefined {
  const output = runTests('hybrid', mutation, ['--bail=1'], environment)
  if (output === undefined) return undefined
  const [[, seed, what]] = find(/seed (\d+), [^}]*}: (.*)/g, mutation, output)
  return `seed ${seed}: ${what}`
}

type Found = [RegExpExecArray, ...RegExpExecArray[]]

/** What is not found means that the tests have failed in another way. */
function find(what: RegExp, mutation: string, output: string): Found {
  const found = [...output.matchAll(what)]
  if (found.length === 0) throw new Error(`"${mutation}" did not run:\n${output}`)
  return found as Found
}

/** What they print when one of them fails. */
function runTests(
  name: string,
  mutation: string,
  settings: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): string | undefined {
  const { status, stdout, stderr } = spawnSync(
    'npx',
    ['vitest', 'run', ...settings, `test/simulation/${name}`],
    {
      cwd: root,
      env: { ...process.env, ...environment, SIMULATION_MUTATION: mutation, NO_COLOR: '1' },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  return status === 0 ? undefined : stdout + stderr
}
