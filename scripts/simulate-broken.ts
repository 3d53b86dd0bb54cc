/** Breaks the hybrid store in each way that is known, and runs the simulation until it finds out: histories by hand first. */
import { replayBroken, simulateBroken } from '../test/support/simulation/broken.js'
import { KINDS } from '../test/support/simulation/kinds.js'
import { MUTATIONS } from '../test/support/simulation/mutations.js'

const MOST_SCHEDULES = Number(process.env.SIMULATION_SCHEDULES ?? 50_000)
/** Of all kinds together: some find a fault at once that others never meet. */
const ROUND = 1000
const wanted = process.argv.slice(2)
const chosen = MUTATIONS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))

const survivors = chosen.filter(({ name }) => {
  const history = replayBroken(name)
  if (history !== undefined) {
    console.log(`${name}: caught by the history "${history}"`)
    return false
  }
  for (let schedules = 0; schedules < MOST_SCHEDULES; schedules += ROUND) {
    const violation = simulateBroken(name, {
      SIMULATION_SCHEDULES: `${ROUND}`,
      SIMULATION_FIRST_SEED: `${1 + schedules / Object.keys(KINDS).length}`,
    })
    if (violation === undefined) continue
    console.log(`${name}: caught by ${violation}`)
    return false
  }
  console.log(`${name}: not caught in ${MOST_SCHEDULES} schedules`)
  return true
})
console.log(`${chosen.length - survivors.length} caught, ${survivors.length} not`)
process.exit(survivors.length === 0 ? 0 : 1)
