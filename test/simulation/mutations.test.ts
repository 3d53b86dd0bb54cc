import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MUTATIONS } from '../support/simulation/mutations.js'

test.each(MUTATIONS)('the mutation "$name" fits the sources', ({ edits }) => {
  for (const { file, from } of edits) expect(readFileSync(file, 'utf8')).toContain(from)
})
