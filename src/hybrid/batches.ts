import type { AppliedOperation, FieldWrite, LifeMs } from '../core/backend.js'
import type { Application, Applied } from '../core/durable-backend.js'
import { hasCode, type StoreError, type StoreErrorCode } from '../core/errors.js'
import { MAX_REMEMBERED } from '../core/store/operation-ids.js'
import type { DurableSide } from './durable-side.js'
import { toIdAbove } from './session/compare.js'
import { type PendingWrite, sizeOf } from './session/pending-write.js'

/** Most bytes of one change to the durable store. A change has at most as many operations as a session remembers. */
const MAX_BATCH_BYTES = 1024 * 1024

/** Errors of the durable store that remain when the write is repeated. */
const REFUSALS: readonly StoreErrorCode[] = [
  'FENCED',
  'CORRUPT_VALUE',
  'SESSION_INCOMPLETE',
  'VALUE_TOO_LARGE',
  'INVALID_KEY',
  'INVALID_SESSION_ID',
]

/** What the durable store did with some writes. */
export type Outcome =
  /** The durable store has them. They may have come late. */
  | { readonly kind: 'applied'; readonly batch: Batch; readonly isOwn: boolean; readonly applied: Applied }
  /** I11: Redis took them from an earlier owner after it had lost the later claim. `fence`: the later owner's token. */
  | { readonly kind: 'barred'; readonly batch: Batch; readonly fence: number }
  | { readonly kind: 'refused'; readonly write: PendingWrite; readonly error: StoreError }

export type Batch = readonly PendingWrite[]

/**
 * Applies writes to the durable store, several at once, in the order of their versions. `isOwn`: whether a write may be
 * missing in the outbox. Throws an error that a repetition may mend; the outcomes given before that are final.
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
  if (applied.mustSplit) for (const one of batch) yield* applyBatch(durable, sessionId, [one], isOwn)
  else if (applied.isBarred) yield { kind: 'barred', batch, fence: applied.fence }
  else yield { kind: 'applied', batch, isOwn, applied }
}

/**
 * Takes the longest prefix that can be one change: of one owner, with consecutive versions, so that no write of another
 * process between them comes late. A write that begins a session and a heal come first in their change; a deletion is
 * alone in it.
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

/**
 * Applies a write once more, as one of this version. Its operation is not one of its process, whose own writes are judged
 * by what it had seen before.
 */
export function applyAbove(
  durable: DurableSide,
  sessionId: string,
  version: number,
  write: PendingWrite,
): Promise<Applied> {
  const { updatedAtMs, fencingToken, lifeMs, writes = [] } = write
  const operations = [{ id: toIdAbove(write), version, updatedAtMs }]
  const application: Application = { version, fencingToken, operations, kind: 'fields', lifeMs }
  return durable.apply(
    sessionId,
    application,
    writes.map(({ type, id, bytes }) => ({ type, id, bytes })),
  )
}

/** `isOwn`: they may be missing in the outbox, so the durable store refuses them if a later owner has the session. */
function toApplication(batch: readonly PendingWrite[], isOwn: boolean): Application {
  return {
    version: (batch.at(-1) as PendingWrite).version,
    fencingToken: batch[0]?.fencingToken,
    operations: toOperations(batch),
    kind: (batch[0] as PendingWrite).kind,
    fork: batch[0]?.fork,
    lifeMs: lifeAfter(batch),
    isOwn,
  }
}

/** The last life that one of the writes gives the session. */
function lifeAfter(batch: readonly PendingWrite[]): LifeMs | undefined {
  const last = batch.findLast(({ lifeMs }) => lifeMs !== 'kept')
  return last === undefined ? 'kept' : last.lifeMs
}

export function toOperations(batch: readonly PendingWrite[]): AppliedOperation[] {
  return batch.map(({ operationId, version, updatedAtMs }) => ({ id: operationId, version, updatedAtMs }))
}

/** The last write of each field, under the version that it has in Redis: a heal looks for its own writes by it. */
function mergeWrites(batch: readonly PendingWrite[]): FieldWrite[] {
  const merged = new Map<string, FieldWrite>()
  for (const { version, writes = [] } of batch) {
    for (const write of writes) {
      merged.set(JSON.stringify([write.type, write.id]), { ...write, version: write.version ?? version })
    }
  }
  return [...merged.values()]
}
