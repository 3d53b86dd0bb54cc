/** Breaks the hybrid store in each way that is known, and runs the simulation until it finds out: histories by hand first. */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { MUTATIONS } from '../test/support/simulation/mutations.js'

const MOST_SCHEDULES = Number(process.env.SIMULATION_SCHEDULES ?? 50_000)
/** Of all kinds together: some find a fault at once that others never meet. */
const ROUND = 700
const KINDS = 7
const root = resolve(import.meta.dirname, '..')
const wanted = process.argv.slice(2)
const chosen = MUTATIONS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))

const survivors = chosen.filter(({ name }) => {
  const history = replay(name)
  if (history !== undefined) {
    console.log(`${name}: caught by the history "${history}"`)
    return false
  }
  for (let schedules = 0; schedules < MOST_SCHEDULES; schedules += ROUND) {
    const violation = simulate(name, 1 + schedules / KINDS)
    if (violation === undefined) continue
    console.log(`${name}: caught by ${violation}`)
    return false
  }
  console.log(`${name}: not caught in ${MOST_SCHEDULES} schedules`)
  return true
})
console.log(`${chosen.length - survivors.length} caught, ${survivors.length} not`)
process.exit(survivors.length === 0 ? 0 : 1)

/** The first history that goes wrong, if one does. */
function replay(mutation: string): string | undefined {
  const output = runTests('histories', { SIMULATION_MUTATION: mutation })
  return output === undefined ? undefined : find(/FAIL .* > (.*)/, mutation, output)[1]
}

/** Runs one round of schedules; what they have found, if they have. */
function simulate(mutation: string, firstSeed: number): string | undefined {
  const output = runTests('hybrid', {
    SIMULATION_MUTATION: mutation,
    SIMULATION_SCHEDULES: `${ROUND}`,
    SIMULATION_FIRST_SEED: `${firstSeed}`,
  })
  if (output === undefined) return undefined
  const [, seed, what] = find(/seed (\d+), [^}]*}: (.*)/, mutation, output)
  return `seed ${seed}: ${what}`
}

function find(what: RegExp, mutation: string, output: string): RegExpExecArray {
  const found = what.exec(output)
  if (found === null) throw new Error(`"${mutation}" did not run:\n${output}`)
  return found
}

/** What they print when one of them fails. */
function runTests(name: string, environment: Record<string, string>): string | undefined {
  const { status, stdout, stderr } = spawnSync(
    'npx',
    ['vitest', 'run', '--bail=1', `test/simulation/${name}`],
    {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1', ...environment },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  return status === 0 ? undefined : stdout + stderr
}
