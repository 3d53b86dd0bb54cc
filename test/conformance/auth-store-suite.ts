import { describe } from 'vitest'
import { describeArguments } from './auth-store/arguments.js'
import { describeCatalogue } from './auth-store/catalogue.js'
import { describeConcurrency } from './auth-store/concurrency.js'
import { describeDeletionsAfterALoss } from './auth-store/deletions-after-a-loss.js'
import { describeForks } from './auth-store/forks.js'
import { type CreateStoreDatabase, KEY } from './auth-store/harness.js'
import { describeImports } from './auth-store/imports.js'
import { describeLostClaims } from './auth-store/lost-claims.js'
import { describeRewinds } from './auth-store/rewinds.js'
import { describeSecrecy } from './auth-store/secrecy.js'
import { describeSessions } from './auth-store/sessions.js'
import { describeTrash } from './auth-store/trash.js'
import { describeTrashFaults } from './auth-store/trash-faults.js'
import { describeTrashRewinds } from './auth-store/trash-rewinds.js'
import { describeInput, describeValues } from './auth-store/values.js'

/** What every store must do: one test a sentence of the contract `AuthStore`. */
export function describeAuthStore(name: string, create: CreateStoreDatabase): void {
  describe(`${name} as a store`, () => {
    describeValues('in the clear', {}, create)
    describeValues(
      'aes-256-gcm and snappy',
      { masterKey: KEY, security: { enableCompression: true, compressionAlgorithm: 'snappy' } },
      create,
    )
    describeValues(
      'secretbox and gzip',
      {
        masterKey: KEY,
        security: { encryptionAlgorithm: 'secretbox', enableCompression: true, compressionAlgorithm: 'gzip' },
      },
      create,
    )
    describeInput(create)
    describeArguments(create)
    describeSessions(create)
    describeTrash(create)
    describeTrashFaults(create)
    describeTrashRewinds(create)
    describeImports(create)
    describeCatalogue(create)
    describeConcurrency(create)
    describeSecrecy(create)
    describeRewinds(create)
    describeForks(create)
    describeDeletionsAfterALoss(create)
    describeLostClaims(create)
  })
}
