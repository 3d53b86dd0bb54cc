import type { Backend } from '../../src/core/backend.js'

export interface Counted {
  backend: Backend
  /** How many calls there have been. */
  readonly calls: number
}

/**
 * A real backend whose calls are numbered from 0. `around` gets each call's number, and carries it out by `run` or does
 * not.
 */
export function countCalls(
  backend: Backend,
  around: (call: number, run: () => Promise<unknown>) => Promise<unknown>,
): Counted {
  let calls = 0
  const counted = new Proxy(backend, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      if (name === 'close') return () => Promise.resolve() // the backend belongs to the test
      return (...input: unknown[]) => around(calls++, async () => member.apply(target, input))
    },
  })
  return {
    backend: counted,
    get calls() {
      return calls
    },
  }
}
