import type { Backend } from '../../src/core/backend.js'
import { type Counted, countCalls } from './counted-backend.js'

/** A real backend: before the call of that number, from 0, it lets something else happen. */
export function toInterrupted(backend: Backend, at: number, interrupt: () => Promise<unknown>): Counted {
  return countCalls(backend, async (call, run) => {
    if (call === at) await interrupt()
    return run()
  })
}
