/** Breaks the hybrid store in each way that is known, and runs the simulation until it finds out. */
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

/** Runs one round of schedules; what they have found, if they have. */
function simulate(mutation: string, firstSeed: number): string | undefined {
  const { status, stdout, stderr } = spawnSync(
    'npx',
    ['vitest', 'run', '--bail=1', 'test/simulation/hybrid'],
    {
      cwd: root,
      env: {
        ...process.env,
        SIMULATION_MUTATION: mutation,
        SIMULATION_SCHEDULES: `${ROUND}`,
        SIMULATION_FIRST_SEED: `${firstSeed}`,
      },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  if (status === 0) return undefined
  const [, seed, what] = /seed (\d+), [^}]*}: (.*)/.exec(stdout + stderr) ?? []
  if (seed === undefined) throw new Error(`"${mutation}" did not run:\n${stdout}${stderr}`)
  return `seed ${seed}: ${what}`
}
