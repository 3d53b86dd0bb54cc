import type { Summary } from '../core/backend.js'

/**
 * What both databases tell of a session. The later version decides. A load into Redis brings no notes, and a claim reaches
 * one of the two first, so the rest comes from whichever knows it.
 */
export function joinSummaries(found: readonly Summary[]): Summary | undefined {
  const [first, second] = found.toSorted(byVersion)
  if (first === undefined || second === undefined) return first
  const [latest, earlier] = second.head.fence > first.head.fence ? [second, first] : [first, second]
  // The two have begun the session at different instants: the earlier one, unless it is of a life that has ended.
  const isSameLife = first.head.incarnation === second.head.incarnation
  return {
    ...first,
    head: { ...first.head, fence: latest.head.fence },
    createdAtMs: lowest(first.createdAtMs, isSameLife ? second.createdAtMs : undefined),
    claim: latest.claim ?? (isSameLife ? earlier.claim : undefined),
    leaseEndsAtMs: latest.leaseEndsAtMs ?? (isSameLife ? earlier.leaseEndsAtMs : undefined),
  }
}

function byVersion(a: Summary, b: Summary): number {
  return b.head.version - a.head.version || b.head.fence - a.head.fence
}

function lowest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}
