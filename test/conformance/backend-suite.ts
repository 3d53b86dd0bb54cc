import { describe } from 'vitest'
import { describeCommits } from './backend/commits.js'
import type { CreateDatabase } from './backend/harness.js'
import { describeLeases } from './backend/leases.js'
import { describeLifetime } from './backend/lifetime.js'
import { describeNames } from './backend/names.js'
import { describeOwnership } from './backend/ownership.js'

/** What every backend must do: one test a sentence of the contract `Backend`. */
export function describeBackend(name: string, create: CreateDatabase): void {
  describe(`${name} as a backend`, () => {
    describeCommits(create)
    describeOwnership(create)
    describeLeases(create)
    describeLifetime(create)
    describeNames(create)
  })
}
