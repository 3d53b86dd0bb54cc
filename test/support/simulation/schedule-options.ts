import type { Mode } from './sim-process.js'

export interface ScheduleOptions extends Omit<Mode, 'hasCache'> {
  /** Redis may be wiped, and may fail over to an older replica. */
  losesRedis: boolean
  /** Owners may stall, be replaced, and wake up; and what a dead one has sent may arrive after it was replaced. */
  stalls: boolean
  /** A process that does not own the session writes to keys of its own in it. */
  hasGuest: boolean
  /** Owners may delete the session; the next owner begins it anew. Not beside a guest, who owns nothing. */
  deletes?: boolean
  /** Deletions may be undone before the next owner opens the session. */
  restores?: boolean
  /** Owners open the session exclusively, and renew their leases. */
  leases?: boolean
  /** The session ends after this time without a write. So much may pass at once. */
  ttlMs?: number
}

export interface ScheduleStats {
  acknowledged: number
  toOutbox: number
  failed: number
  fenced: number
  reads: number
  opened: number
  deleted: number
  restored: number
  locked: number
}

export function noStats(): ScheduleStats {
  return {
    acknowledged: 0,
    toOutbox: 0,
    failed: 0,
    fenced: 0,
    reads: 0,
    opened: 0,
    deleted: 0,
    restored: 0,
    locked: 0,
  }
}
