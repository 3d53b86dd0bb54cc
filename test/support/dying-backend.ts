import type { Backend } from '../../src/core/backend.js'
import { StoreUnavailableError } from '../../src/index.js'

/** A process dies during one call, which the database has carried out before, or has never been sent. */
export interface Death {
  /** The number of the call, from 0. */
  at: number
  isCarriedOut: boolean
}

/** A real backend that answers the first calls, and no later one. */
export function toDying(backend: Backend, { at, isCarriedOut }: Death): Backend & { isDead: boolean } {
  let calls = 0
  return new Proxy(backend, {
    get(target, name) {
      if (name === 'isDead') return calls > at
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      if (name === 'close') return () => Promise.resolve() // the backend belongs to the test
      return async (...input: unknown[]) => {
        const call = calls++
        if (call < at) return member.apply(target, input)
        if (call === at && isCarriedOut) await member.apply(target, input)
        throw new StoreUnavailableError('The database', 'this process is dead.', {})
      }
    },
  }) as Backend & { isDead: boolean }
}
