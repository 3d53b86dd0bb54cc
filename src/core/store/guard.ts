import type { Commit, Guard, Head } from '../backend.js'
import { FencedError, RewoundError, SessionIncompleteError, VersionMismatchError } from '../errors.js'
import { continuesFrom } from './histories.js'

/**
 * Refuses a write that a later owner, a later version, or a store that went back in time forbids. The fence comes
 * first: a process that has lost the session learns that, and nothing else. Fencing tokens: M. Kleppmann, "How to do
 * distributed locking" (2016).
 */
export function checkGuard(sessionId: string, head: Head, guard: Guard): void {
  const {
    fencingToken,
    seenVersion,
    seenIncarnation = '',
    seenOperation = '',
    seenOwn,
    expectedVersion,
  } = guard
  if (fencingToken !== undefined && fencingToken < head.fence) {
    throw new FencedError(fencingToken, head.exists ? head.fence : undefined, { sessionId })
  }
  const seen = {
    incarnation: seenIncarnation,
    version: seenVersion ?? 0,
    operation: seenOperation,
    own: seenOwn,
  }
  if (seenVersion !== undefined && !continuesFrom(seen, head)) {
    throw new RewoundError(seenVersion, head.version, { sessionId })
  }
  const actual = head.exists ? head.version : 0
  if (expectedVersion !== undefined && expectedVersion !== actual) {
    throw new VersionMismatchError(expectedVersion, actual, { sessionId })
  }
}

/**
 * The highest token that a deletion has ended. The tombstone's fence is above it and is nobody's token, but the next owner
 * may get that very token from a store that has lost the tombstone: so a repeated deletion carries this one.
 */
export function endedToken(tombstoneFence: number): number {
  return Math.max(tombstoneFence - 1, 0)
}

/** `begins`: whether the commit would begin a session. */
export function checkBeginning(sessionId: string, begins: boolean, { needsSession }: Commit): void {
  if (begins && needsSession) throw SessionIncompleteError.ofWriteToNothing({ sessionId })
}

/** Whether a commit would write nothing, or only begin an empty session. */
export function isNoOp(head: Head, { writes, above }: Commit): boolean {
  if (above !== undefined) return false
  return writes.length === 0 || (!head.exists && writes.every(write => write.bytes === null))
}
