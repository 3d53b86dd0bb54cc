import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MUTATIONS, mutate } from '../../model/mutations.js'
import { INVARIANTS, MODEL, simulate, typecheck, withText } from '../../model/simulate.js'

const model = readFileSync(MODEL, 'utf8')
/** The simulator computes for seconds; a busy machine takes its time. */
const TIMEOUT_MS = 300_000

test('the model checks each numbered invariant and that acknowledged writes are kept', () => {
  const numbered = INVARIANTS.flatMap(name => /^i(\d+)/.exec(name)?.[1] ?? [])
  expect(numbered.map(Number)).toEqual(Array.from({ length: 14 }, (_, index) => index + 1))
  expect(INVARIANTS).toContain('acknowledgedIsKept')
})

test.each(MUTATIONS)('the mutation "$name" fits the model', mutation => {
  expect(mutate(model, mutation)).not.toBe(model)
})

test(
  'random traces of the model violate no invariant',
  () => {
    typecheck()
    expect(simulate(MODEL, { seed: '1', traces: 60, steps: 40 })).toMatchObject({ violated: [] })
  },
  TIMEOUT_MS,
)

test.each([
  ['both lanes at once', 'i6OneLane'],
  ['ack before apply', 'i5AckAfterApply'],
  ['no step past Redis', 'i7PastOnlyWhenCovered'],
])(
  'the model finds the mutation "%s"',
  (name, invariant) => {
    const mutation = MUTATIONS.find(known => known.name === name)
    if (mutation === undefined) throw new Error(`there is no mutation "${name}"`)
    const budget = { seed: '1', traces: 200, steps: 40 }
    const { violated } = withText(mutate(model, mutation), file => simulate(file, budget))
    expect(violated).toContain(invariant)
  },
  TIMEOUT_MS,
)
