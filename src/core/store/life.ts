/** By how much the clocks of two machines may differ. */
const MAX_SKEW_MS = 24 * 60 * 60 * 1000

/** Whether a session can end then: a life is longer than nothing, so no session ends before its last write. */
export function isPossibleEnd(endMs: number, writtenMs: number): boolean {
  return endMs > writtenMs - MAX_SKEW_MS
}
