/** Breaks the hybrid store in each way that is known, and runs the simulation until it finds out. */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { MUTATIONS } from '../test/support/simulation/mutations.js'

const SCHEDULES = process.env.SIMULATION_SCHEDULES ?? '10000'
const root = resolve(import.meta.dirname, '..')
const wanted = process.argv.slice(2)
const chosen = MUTATIONS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))

const survivors = chosen.filter(({ name }) => {
  const { status, stdout, stderr } = spawnSync(
    'npx',
    ['vitest', 'run', '--bail=1', 'test/simulation/hybrid'],
    {
      cwd: root,
      env: { ...process.env, SIMULATION_MUTATION: name, SIMULATION_SCHEDULES: SCHEDULES },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  const [, seed, what] = /seed (\d+), [^}]*}: (.*)/.exec(stdout + stderr) ?? []
  const isCaught = status !== 0 && seed !== undefined
  console.log(
    `${name}: ${isCaught ? `caught by seed ${seed}: ${what}` : `not caught in ${SCHEDULES} schedules`}`,
  )
  return !isCaught
})
console.log(`${chosen.length - survivors.length} caught, ${survivors.length} not`)
process.exit(survivors.length === 0 ? 0 : 1)
