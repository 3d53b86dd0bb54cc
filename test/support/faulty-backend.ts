import { StoreUnavailableError } from '../../src/core/errors.js'
import type { Backend, Commit } from '../../src/core/store.js'
import { deferred } from './deferred.js'

type Method = keyof Backend

export interface BackendCall {
  readonly method: Method
  readonly sessionId: unknown
  /** Of a commit. */
  readonly commit: Commit | undefined
}

interface Fault {
  readonly method: Method
  left: number
  /** Before or after the real call: an answer that is lost comes after. */
  readonly at: 'before' | 'after'
  readonly strike: () => Promise<void>
}

export interface Gate {
  /** Resolves when a call has come to it. */
  readonly reached: Promise<void>
  open(): void
}

/** A real backend whose calls are counted, and fail or wait on demand. */
export interface FaultyBackend extends Backend {
  readonly calls: BackendCall[]
  countOf(method: Method): number
  /** The next `times` calls fail and do nothing; by default with `STORE_UNAVAILABLE`. */
  fail(method: Method, times?: number, error?: () => unknown): void
  /** The next `times` calls do their work, and their answer is lost. */
  loseAnswer(method: Method, times?: number): void
  /** The next call waits at the gate before it does anything. */
  hold(method: Method): Gate
  /** Ends all faults. */
  mend(): void
}

export function makeFaulty(backend: Backend): FaultyBackend {
  const calls: BackendCall[] = []
  let faults: Fault[] = []

  async function strike(method: Method, at: Fault['at']): Promise<void> {
    const fault = faults.find(candidate => candidate.method === method && candidate.left > 0)
    if (fault === undefined || fault.at !== at) return
    fault.left--
    await fault.strike()
  }

  async function call(method: Method, args: unknown[]): Promise<unknown> {
    const commit = method === 'commit' ? (args[1] as Commit) : undefined
    calls.push({ method, sessionId: args[0], commit })
    await strike(method, 'before')
    const answer = await (backend[method] as (...args: unknown[]) => Promise<unknown>)(...args)
    await strike(method, 'after')
    return answer
  }

  const controls = {
    calls,
    countOf: (method: Method) => calls.filter(made => made.method === method).length,
    fail(method: Method, times = Number.POSITIVE_INFINITY, error: () => unknown = unavailable) {
      faults.push({ method, left: times, at: 'before', strike: () => Promise.reject(error()) })
    },
    loseAnswer(method: Method, times = 1) {
      faults.push({ method, left: times, at: 'after', strike: () => Promise.reject(unavailable()) })
    },
    hold(method: Method): Gate {
      const arrival = deferred<void>()
      const opening = deferred<void>()
      const wait = () => {
        arrival.resolve()
        return opening.promise
      }
      faults.push({ method, left: 1, at: 'before', strike: wait })
      return { reached: arrival.promise, open: () => opening.resolve() }
    },
    mend() {
      faults = []
    },
  }
  return new Proxy(controls as unknown as FaultyBackend, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name)
      if (!(name in backend)) return undefined
      return (...args: unknown[]) => call(name as Method, args)
    },
  })
}

export function unavailable(): StoreUnavailableError {
  return new StoreUnavailableError('The test', 'it was told to fail.')
}
