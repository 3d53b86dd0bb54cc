import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { replayBroken, simulateBroken } from '../support/simulation/broken.js'
import { MUTATIONS } from '../support/simulation/mutations.js'

test.each(MUTATIONS)('the mutation "$name" fits the sources', ({ edits }) => {
  for (const { file, from } of edits) expect(readFileSync(file, 'utf8')).toContain(from)
})

test.each([
  ['skip the drain at open', 1],
  ['apply keys before the head', 144],
  ['drop the version filter', 12],
])(
  'the mutation "%s" is found by seed %i',
  (mutation, seed) => {
    expect(simulateBroken(mutation, { SIMULATION_SEED: `${seed}` })).toMatch(`seed ${seed}: `)
  },
  120_000,
)

test.each([
  ['believe any history at the same version', /is read again|is there for its process|is not built on/],
  ['forget to adopt the outbox', 'takes charge of the outbox'],
  [
    'apply late writes together with new ones',
    /writes of the other process have taken its version|and their process is gone/,
  ],
  [
    'keep the other history though Redis has taken a write after it',
    'counts after those that Redis had lost',
  ],
  ['replace the copy of a deleted session without opening it', 'the copy of an earlier one'],
  ["repeat a deletion by its tombstone's fence", 'though clocks have gone back'],
  [
    'no stale check',
    /is fenced after an opening|does not find it again in a Redis|becomes the session again/,
  ],
])(
  'the mutation "%s" is found by a history',
  (mutation, history) => {
    expect(replayBroken(mutation)).toMatch(history)
  },
  600_000, // all histories run, on a machine that may be busy
)
