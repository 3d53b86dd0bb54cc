/**
 * Checks the types of the model of the hybrid protocol and runs random traces of it; exits with 1 where one violates an
 * invariant. With `--mutations [name …]` it breaks the protocol in each known way instead, until the model finds it.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { MUTATIONS, type Mutation, mutate } from '../model/mutations.js'
import { MODEL, replay, simulate, typecheck, withText } from '../model/simulate.js'

const { values, positionals } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    traces: { type: 'string' },
    steps: { type: 'string', default: '40' },
    mutations: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const { seed } = values
const traces = Number(values.traces ?? (values.mutations ? 3000 : 1000))
const steps = Number(values.steps)

typecheck()
console.log(`seed ${seed}, at most ${traces} traces of ${steps} steps`)
process.exit((values.mutations ? findMutations() : findViolation()) ? 0 : 1)

/** `false`: one was found. */
function findViolation(): boolean {
  const outcome = simulate(MODEL, { seed, traces, steps })
  if (outcome.violated.length > 0) {
    console.log(replay(MODEL, outcome.seed, steps))
    console.log(`violated: ${outcome.violated.join(', ')}; --seed=${outcome.seed} --traces=1 repeats it`)
    return false
  }
  console.log(`no violation in ${outcome.traces} traces, ${outcome.seconds.toFixed(0)} s`)
  return true
}

/** `false`: one was not found. */
function findMutations(): boolean {
  const chosen = MUTATIONS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const found = chosen.filter(findMutation)
  console.log(`${found.length} found, ${chosen.length - found.length} not`)
  return found.length === chosen.length
}

function findMutation(mutation: Mutation): boolean {
  const text = mutate(readFileSync(MODEL, 'utf8'), mutation)
  const outcome = withText(text, file => simulate(file, { seed, traces, steps }))
  const isFound = outcome.violated.length > 0
  const what = isFound ? `${outcome.violated.join(', ')} after about` : 'not found in'
  const repeat = isFound ? `, seed ${outcome.seed}` : ''
  console.log(`${mutation.name}: ${what} ${outcome.traces} traces, ${outcome.seconds.toFixed(0)} s${repeat}`)
  return isFound
}
