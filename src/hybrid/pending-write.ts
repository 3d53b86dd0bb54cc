import type { FieldWrite } from '../core/backend.js'
import type { Application, Applied } from '../core/durable-backend.js'
import { type OutboxEntry, unseal } from './outbox-entry.js'

/** Entries and bytes that go to MongoDB as one change: as many operations as a session remembers. */
const MAX_MERGED = 16
const MAX_MERGED_BYTES = 1024 * 1024

/** A write that Redis has taken and MongoDB is to get. */
export interface PendingWrite {
  readonly version: number
  readonly operationId: string
  readonly fencingToken: number | undefined
  readonly updatedAtMs: number
  readonly kind: Application['kind']
  readonly fork?: Application['fork']
  /** `undefined`: there was no room for them; the outbox has them. */
  readonly writes: readonly FieldWrite[] | undefined
  /** Tell who waits for it. */
  readonly resolve?: ((applied: Applied) => void) | undefined
  readonly reject?: ((error: unknown) => void) | undefined
}

export function toPendingWrite(entry: OutboxEntry): PendingWrite {
  const { version, operationId, fencingToken, createdAt, patch, begins, fork } = entry
  return {
    version,
    operationId,
    fencingToken,
    updatedAtMs: createdAt,
    kind: patch === undefined ? 'deletion' : begins ? 'session' : 'fields',
    fork,
    writes: patch === undefined ? [] : unseal(patch),
  }
}

export function sizeOf({ writes = [] }: PendingWrite): number {
  return writes.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0) + 200, 0)
}

/**
 * Takes what can be one change from the front: of one owner, and versions that follow each other, since a merged field
 * carries the last version, which would hide a write that comes between. What a session begins with is first, a heal as
 * well, and its end is alone.
 */
export function takeBatch(queue: PendingWrite[]): PendingWrite[] {
  let count = 0
  let bytes = 0
  for (const next of queue) {
    const previous = queue[count - 1]
    bytes += sizeOf(next)
    const follows =
      previous === undefined ||
      (next.kind === 'fields' &&
        next.fork === undefined &&
        previous.kind !== 'deletion' &&
        next.version === previous.version + 1 &&
        next.fencingToken === previous.fencingToken)
    if (!follows || count === MAX_MERGED || (previous !== undefined && bytes > MAX_MERGED_BYTES)) break
    count++
  }
  return queue.splice(0, count)
}

/** `isOwn`: they are not known to be in the outbox, and so count for what their owner's token is worth. */
export function toApplication(batch: readonly PendingWrite[], isOwn: boolean): Application {
  return {
    version: (batch.at(-1) as PendingWrite).version,
    fencingToken: batch[0]?.fencingToken ?? 0,
    operations: batch.map(({ operationId, version, updatedAtMs }) => ({
      id: operationId,
      version,
      updatedAtMs,
    })),
    kind: (batch[0] as PendingWrite).kind,
    fork: batch[0]?.fork,
    isOwn,
  }
}

/** The last write of each field. */
export function mergeWrites(batch: readonly PendingWrite[]): FieldWrite[] {
  const merged = new Map<string, FieldWrite>()
  for (const { writes = [] } of batch) {
    for (const write of writes) merged.set(JSON.stringify([write.type, write.id]), write)
  }
  return [...merged.values()]
}
