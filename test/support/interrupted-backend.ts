import type { Backend } from '../../src/core/backend.js'

export interface Interrupted extends Backend {
  /** Whether the call came that `interrupt` was to come before. */
  readonly wasInterrupted: boolean
}

/** A real backend: before the call of that number, from 0, it lets something else happen. */
export function toInterrupted(backend: Backend, at: number, interrupt: () => Promise<unknown>): Interrupted {
  let calls = 0
  return new Proxy(backend, {
    get(target, name) {
      if (name === 'wasInterrupted') return calls > at
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      if (name === 'close') return () => Promise.resolve() // the backend belongs to the test
      return async (...input: unknown[]) => {
        if (calls++ === at) await interrupt()
        return member.apply(target, input)
      }
    },
  }) as Interrupted
}
