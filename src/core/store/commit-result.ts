import type { CommitResult } from '../backend.js'

/** What a commit to one database has led to: what was found or made there, without the rest of its head. */
export function toResult({
  version,
  updatedAtMs,
  incarnation,
  operation,
}: Omit<CommitResult, 'durability'>): CommitResult {
  return { version, updatedAtMs, incarnation, operation, durability: 'durable' }
}
