import type { Backend } from '../../src/core/backend.js'
import { StoreUnavailableError } from '../../src/index.js'
import { type Counted, countCalls } from './counted-backend.js'

/** A process dies during one call, which the database has carried out before, or has never been sent. */
export interface Death {
  /** The number of the call, from 0. */
  at: number
  isCarriedOut: boolean
}

/** A real backend that answers the first calls, and no later one. */
export function toDying(backend: Backend, { at, isCarriedOut }: Death): Counted {
  return countCalls(backend, async (call, run) => {
    if (call < at) return run()
    if (call === at && isCarriedOut) await run()
    throw new StoreUnavailableError('The database', 'this process is dead.', {})
  })
}
