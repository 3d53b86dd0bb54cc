import { describe } from 'vitest'
import { describeCreds } from './auth-state/creds.js'
import { describeKeys } from './auth-state/keys.js'
import { describeLife } from './auth-state/life.js'
import { describeOpening } from './auth-state/opening.js'
import type { CreateStoreDatabase } from './auth-store/harness.js'

/** What Baileys gets, whichever store is under it. */
export function describeAuthState(name: string, create: CreateStoreDatabase): void {
  describe(`the auth state on ${name}`, () => {
    describeOpening(create)
    describeKeys(create)
    describeCreds(create)
    describeLife(create)
  })
}
