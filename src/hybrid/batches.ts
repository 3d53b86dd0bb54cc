import type { FieldWrite } from '../core/backend.js'
import type { Application, Applied } from '../core/durable-backend.js'
import { hasCode, type StoreError, type StoreErrorCode } from '../core/errors.js'
import { MAX_REMEMBERED } from '../core/store/operation-ids.js'
import type { DurableSide } from './durable-side.js'
import { type PendingWrite, sizeOf } from './pending-write.js'

/** Bytes that go to the durable store as one change; of operations, as many as a session remembers. */
const MAX_BATCH_BYTES = 1024 * 1024

/** Errors of the durable store that a repetition does not mend. */
const REFUSALS: readonly StoreErrorCode[] = [
  'FENCED',
  'CORRUPT_VALUE',
  'SESSION_INCOMPLETE',
  'VALUE_TOO_LARGE',
  'INVALID_KEY',
  'INVALID_SESSION_ID',
]

/** What the durable store has done with some writes. */
export type Outcome =
  /** It has them. They may have come late. */
  | { readonly kind: 'applied'; readonly batch: Batch; readonly isOwn: boolean; readonly applied: Applied }
  /** Redis took them of a former owner when it had lost its successor's claim. `fence`: the successor's token. */
  | { readonly kind: 'barred'; readonly batch: Batch; readonly fence: number }
  | { readonly kind: 'refused'; readonly write: PendingWrite; readonly error: StoreError }

type Batch = readonly PendingWrite[]

/**
 * Has the durable store carry out writes in the order of their versions, many at once. `isOwn`: a write that is not known
 * to be in the outbox. Throws what a repetition may mend; what has been told of by then is done.
 */
export async function* applyInBatches(
  durable: DurableSide,
  sessionId: string,
  writes: Batch,
  isOwn: (write: PendingWrite) => boolean,
): AsyncGenerator<Outcome> {
  const queue = writes.toSorted((a, b) => a.version - b.version)
  while (queue.length > 0) {
    const batch = takeBatch(queue)
    yield* applyBatch(durable, sessionId, batch, batch.every(isOwn))
  }
}

async function* applyBatch(
  durable: DurableSide,
  sessionId: string,
  batch: Batch,
  isOwn: boolean,
): AsyncGenerator<Outcome> {
  let applied: Applied
  try {
    applied = await durable.apply(sessionId, toApplication(batch, isOwn), mergeWrites(batch))
  } catch (error) {
    if (!REFUSALS.some(code => hasCode(error, code))) throw error
    const [write] = batch
    if (batch.length === 1)
      yield { kind: 'refused', write: write as PendingWrite, error: error as StoreError }
    else for (const one of batch) yield* applyBatch(durable, sessionId, [one], isOwn)
    return
  }
  if (applied.isBarred) yield { kind: 'barred', batch, fence: applied.fence }
  else yield { kind: 'applied', batch, isOwn, applied }
}

/**
 * Takes what can be one change from the front: of one owner, and versions that follow each other, since a merged field
 * carries the last version, which would hide a write that comes between. What a session begins with is first, a heal as
 * well, and its end is alone.
 */
function takeBatch(queue: PendingWrite[]): PendingWrite[] {
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
    if (!follows || count === MAX_REMEMBERED || (previous !== undefined && bytes > MAX_BATCH_BYTES)) break
    count++
  }
  return queue.splice(0, count)
}

/** `isOwn`: they are not known to be in the outbox, and so count for what their owner's token is worth. */
function toApplication(batch: readonly PendingWrite[], isOwn: boolean): Application {
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
function mergeWrites(batch: readonly PendingWrite[]): FieldWrite[] {
  const merged = new Map<string, FieldWrite>()
  for (const { writes = [] } of batch) {
    for (const write of writes) merged.set(JSON.stringify([write.type, write.id]), write)
  }
  return [...merged.values()]
}
