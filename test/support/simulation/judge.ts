import { hasCode, type StoreErrorCode } from '../../../src/core/errors.js'

/** `half`: Redis has lost a session of which nothing was acknowledged, or that has ended, and not all of it. */
export type Verdict = 'outage' | 'fenced' | 'half' | 'violation'

export interface Circumstances {
  /** Without Redis, a process that does not own the session may be told of an older state, in which it exists. */
  mayBeOlder: boolean
  /** There have been other owners. */
  mayBeFenced: boolean
  /** Nothing may be left of the session. */
  mayBeGone: boolean
}

/** What a call may fail with while servers and networks fail. */
const OUTAGES: readonly StoreErrorCode[] = ['STORE_UNAVAILABLE', 'TIMEOUT']

/** What the error of a call means: only a violation is against the promises. */
export function judge(error: unknown, { mayBeOlder, mayBeFenced, mayBeGone }: Circumstances): Verdict {
  if (OUTAGES.some(code => hasCode(error, code))) return 'outage'
  if (mayBeOlder && hasCode(error, 'VERSION_MISMATCH')) return 'outage'
  if (mayBeFenced && hasCode(error, 'FENCED')) return 'fenced'
  if (mayBeGone && hasCode(error, 'SESSION_INCOMPLETE')) return 'half'
  return 'violation'
}
