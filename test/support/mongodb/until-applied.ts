import { vi } from 'vitest'

interface Documents {
  countDocuments(filter: object): Promise<number>
}

/**
 * A write is acknowledged before its fields are written. Resolves when no head has an intent any more, and no part of
 * one is left. `among`: a filter; default all documents.
 */
export async function untilApplied(documents: Documents, among: object = {}): Promise<void> {
  const isOpen = { ...among, $or: [{ intent: { $exists: true } }, { writes: { $exists: true } }] }
  await vi.waitUntil(async () => (await documents.countDocuments(isOpen)) === 0, 60_000)
}
