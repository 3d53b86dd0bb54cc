import type { CommitResult } from '../backend.js'

/** The result of a commit to one database, without the rest of the head. */
export function toResult({
  version,
  updatedAtMs,
  incarnation,
  operation,
}: Omit<CommitResult, 'durability'>): CommitResult {
  return { version, updatedAtMs, incarnation, operation, durability: 'durable' }
}
