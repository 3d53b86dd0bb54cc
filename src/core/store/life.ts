import { fromTrashName } from '../names.js'

const DAY_MS = 24 * 60 * 60 * 1000
/** By how much the clocks of two machines may differ. */
const MAX_SKEW_MS = DAY_MS

/**
 * Whether a session can have ended then: a life is longer than nothing, so no session ends before its last write. A write
 * that lies in the future says nothing: the clock was ahead, and has been put right.
 */
export function isPossibleEnd(endMs: number, writtenMs: number): boolean {
  const nowMs = Date.now()
  return endMs > nowMs || writtenMs > nowMs || endMs > writtenMs - MAX_SKEW_MS
}

/** How long an expired session stays, for an owner that was stopped for longer than the session lives. */
export const GRACE_MS = DAY_MS
/** The same for what has this name: a copy in the trash has no owner. */
export function graceMsOf(name: string): number {
  return fromTrashName(name) === undefined ? GRACE_MS : 0
}

/** An instant that is still to come; `undefined`: it is over, or there is none. */
export function ifAhead(instantMs: number | null | undefined, nowMs: number): number | undefined {
  return instantMs != null && instantMs > nowMs ? instantMs : undefined
}
