import type { FieldWrite, LifeMs } from '../../core/backend.js'
import type { Application, Applied } from '../../core/durable-backend.js'
import type { OutboxEntry } from '../outbox/outbox-entry.js'
import { unseal } from '../outbox/sealed-patch.js'

export interface AppliedWrite extends Applied {
  /** Two histories of the session have met: Redis had lost what the durable store has. */
  readonly isForked: boolean
}

/** A write that Redis has taken for the durable store. */
export interface PendingWrite {
  readonly version: number
  readonly operationId: string
  /** See `Application`. */
  readonly fencingToken: number | undefined
  readonly updatedAtMs: number
  readonly kind: Application['kind']
  readonly fork?: Application['fork']
  readonly lifeMs?: LifeMs | undefined
  /** `undefined`: memory had no room for the values; the outbox has them. */
  readonly writes: readonly FieldWrite[] | undefined
  /** These settle the promise of the caller that waits for the write. */
  readonly resolve?: ((applied: AppliedWrite) => void) | undefined
  readonly reject?: ((error: unknown) => void) | undefined
}

export function toPendingWrite(entry: OutboxEntry): PendingWrite {
  const { version, operationId, fencingToken, createdAt, patch, versions, begins, fork, lifeMs } = entry
  return {
    version,
    operationId,
    fencingToken,
    updatedAtMs: createdAt,
    kind: patch === undefined ? 'deletion' : begins ? 'session' : 'fields',
    fork,
    lifeMs,
    writes: patch === undefined ? [] : unseal(patch, versions),
  }
}

/** The fence of a session after the write, unless a later owner has it; `undefined`: whatever it was. */
export function fenceAfter({ kind, fencingToken }: PendingWrite): number | undefined {
  return fencingToken !== undefined && kind === 'deletion' ? fencingToken + 1 : fencingToken
}

export function sizeOf({ writes = [] }: PendingWrite): number {
  return writes.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0) + 200, 0)
}
