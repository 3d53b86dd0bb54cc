import { describe } from 'vitest'
import { describeCache } from './auth-state/cache.js'
import { describeCreds } from './auth-state/creds.js'
import { describeExclusive } from './auth-state/exclusive.js'
import { describeIteration } from './auth-state/iteration.js'
import { describeKeys } from './auth-state/keys.js'
import { describeLife } from './auth-state/life.js'
import { describeNotices } from './auth-state/notices.js'
import { describeOpening } from './auth-state/opening.js'
import { describeRemoval } from './auth-state/removal.js'
import { describeSaving } from './auth-state/saving.js'
import type { CreateStoreDatabase } from './auth-store/harness.js'

/** What Baileys gets, whichever store is under it. */
export function describeAuthState(name: string, create: CreateStoreDatabase): void {
  describe(`the auth state on ${name}`, () => {
    describeOpening(create)
    describeKeys(create)
    describeCache(create)
    describeCreds(create)
    describeSaving(create)
    describeExclusive(create)
    describeIteration(create)
    describeLife(create)
    describeRemoval(create)
    describeNotices(create)
  })
}
