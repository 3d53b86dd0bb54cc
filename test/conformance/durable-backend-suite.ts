import { describe } from 'vitest'
import { describeApplications } from './durable-backend/applications.js'
import type { CreateDurableDatabase } from './durable-backend/harness.js'
import { describeWholeSessions } from './durable-backend/sessions.js'

/** What every backend must do that stands behind a faster one: one test a sentence of the contract `DurableBackend`. */
export function describeDurableBackend(name: string, create: CreateDurableDatabase): void {
  describe(`${name} as a durable backend`, () => {
    describeApplications(create)
    describeWholeSessions(create)
  })
}
