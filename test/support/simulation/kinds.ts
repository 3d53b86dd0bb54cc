import type { ScheduleOptions } from './schedule-options.js'

const ALL = {
  isWriteBehind: false,
  opensDegraded: false,
  losesRedis: false,
  stalls: true,
  hasGuest: false,
}
const TTL_MS = 120_000
/** What the schedules are about, by the name of their test. */
export const KINDS: Readonly<Record<string, ScheduleOptions>> = {
  'write-through': ALL,
  'write-behind': { ...ALL, isWriteBehind: true },
  'write-through, two processes': { ...ALL, hasGuest: true },
  'write-behind, two processes': { ...ALL, isWriteBehind: true, hasGuest: true },
  'write-through, two processes, Redis loses data': { ...ALL, hasGuest: true, losesRedis: true },
  'write-behind, two processes, Redis loses data': {
    ...ALL,
    isWriteBehind: true,
    hasGuest: true,
    losesRedis: true,
  },
  'write-through, Redis loses data': { ...ALL, losesRedis: true },
  'write-behind, Redis loses data': { ...ALL, isWriteBehind: true, losesRedis: true },
  'write-through, deletions': { ...ALL, deletes: true },
  'write-behind, deletions': { ...ALL, isWriteBehind: true, deletes: true },
  'write-through, deletions that are undone': { ...ALL, deletes: true, restores: true },
  'write-behind, deletions that are undone': { ...ALL, isWriteBehind: true, deletes: true, restores: true },
  'write-through, leases': { ...ALL, leases: true },
  'write-behind, leases': { ...ALL, isWriteBehind: true, leases: true },
  'write-through, a session that expires': { ...ALL, ttlMs: TTL_MS },
  'write-behind, a session that expires': { ...ALL, isWriteBehind: true, ttlMs: TTL_MS },
  'write-through, deletions, Redis loses data': { ...ALL, deletes: true, losesRedis: true },
  // An owner that wakes up may find the one of the two that has not been told of its successor: docs/hybrid.md.
  'write-through, opened without one of the two': { ...ALL, opensDegraded: true, stalls: false },
}
