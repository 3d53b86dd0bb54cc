import { FencedError, hasCode, type StoreError, type StoreErrorCode } from '../core/errors.js'
import type { Metrics } from '../core/metrics.js'
import type { DurableSide } from './durable-side.js'
import type { HeldWrites } from './held-writes.js'
import type { Parking } from './parking.js'
import { mergeWrites, type PendingWrite, takeBatch, toApplication } from './pending-write.js'
import type { SessionState } from './session-state.js'

/** Errors of MongoDB that a repetition does not mend. */
const REFUSALS: readonly StoreErrorCode[] = [
  'CORRUPT_VALUE',
  'SESSION_INCOMPLETE',
  'VALUE_TOO_LARGE',
  'INVALID_KEY',
  'INVALID_SESSION_ID',
]

export interface BatchApplierParts {
  durable: DurableSide
  held: HeldWrites
  parking: Parking
  metrics: Metrics
  /** Whether MongoDB is brought the writes by workers of a queue, as a rule. */
  hasWorkers: boolean
}

/** Writes from the outbox. */
export interface Page {
  writes: PendingWrite[]
  /** Up to which it is known what waits. */
  lastVersion: number
  /** Whether nothing waited beyond them. */
  isAll: boolean
}

/** Has MongoDB carry out writes in the order of versions, many at once. */
export class BatchApplier {
  /** Entries that MongoDB has taken. */
  appliedCount = 0
  /** Told of a session that MongoDB has lost: what it was given is a part of what Redis has. */
  onPart: (sessionId: string) => void = () => {}
  readonly #durable: DurableSide
  readonly #held: HeldWrites
  readonly #parking: Parking
  readonly #metrics: Metrics
  readonly #hasWorkers: boolean

  constructor({ durable, held, parking, metrics, hasWorkers }: BatchApplierParts) {
    this.#durable = durable
    this.#held = held
    this.#parking = parking
    this.#metrics = metrics
    this.#hasWorkers = hasWorkers
  }

  /** Those of the outbox, and those of this process up to the last of them. What of it MongoDB has now. */
  async apply(sessionId: string, state: SessionState, page: Page): Promise<PendingWrite[]> {
    const known = new Set(page.writes.map(({ operationId }) => operationId))
    const own = [...state.unapplied.values()].filter(
      ({ operationId, version, writes }) => writes && version <= page.lastVersion && !known.has(operationId),
    )
    const all = [...page.writes, ...own].sort((a, b) => a.version - b.version)
    const applied: PendingWrite[] = []
    while (all.length > 0) {
      const batch = takeBatch(all)
      const isOwn = batch.every(({ operationId }) => !known.has(operationId))
      applied.push(...(await this.#applyBatch(sessionId, state, batch, isOwn)))
    }
    return applied
  }

  async #applyBatch(
    sessionId: string,
    state: SessionState,
    batch: readonly PendingWrite[],
    isOwn: boolean,
  ): Promise<readonly PendingWrite[]> {
    try {
      const applied = await this.#durable.apply(sessionId, toApplication(batch, isOwn), mergeWrites(batch))
      if (applied.isBarred) return this.#bar(sessionId, state, batch, applied.fence)
      // Workers of a queue may have brought over all of them by now, more than MongoDB remembers.
      const isByWorkers = this.#hasWorkers && isOwn && applied.version <= state.highestAdded
      if (applied.isLate && !isByWorkers) state.noteDivergence()
      if (applied.isPart) this.onPart(sessionId)
      this.appliedCount += batch.length
      for (const { operationId } of batch) {
        if (!state.unapplied.has(operationId)) continue
        if (!this.#hasWorkers || !isOwn) this.#metrics.count('direct_writes')
        this.#held.settle(state, operationId).resolve?.(applied)
      }
      return batch
    } catch (error) {
      const isRefused = hasCode(error, 'FENCED') || REFUSALS.some(code => hasCode(error, code))
      if (!isRefused) throw error
      if (batch.length === 1) {
        await this.#refuse(sessionId, state, batch[0] as PendingWrite, error as StoreError)
        return []
      }
      const applied: PendingWrite[] = []
      for (const write of batch) {
        applied.push(...(await this.#applyBatch(sessionId, state, [write], isOwn)))
      }
      return applied
    }
  }

  /** Redis took them of a former owner when it had lost its successor's claim. They are kept for who looks into it. */
  async #bar(
    sessionId: string,
    state: SessionState,
    batch: readonly PendingWrite[],
    fence: number,
  ): Promise<readonly PendingWrite[]> {
    for (const write of batch) {
      const error = new FencedError(write.fencingToken ?? 0, fence, { sessionId })
      await this.#parking.park(sessionId, state, write, error)
      this.#giveUp(state, write, error)
    }
    return []
  }

  async #refuse(
    sessionId: string,
    state: SessionState,
    write: PendingWrite,
    error: StoreError,
  ): Promise<void> {
    // Where the outbox has it, it is brought over from there; where it has not, it is none of the session's writes.
    if (hasCode(error, 'FENCED')) state.noteForeign()
    else await this.#parking.park(sessionId, state, write, error)
    this.#giveUp(state, write, error)
  }

  #giveUp(state: SessionState, { operationId }: PendingWrite, error: StoreError): void {
    if (state.unapplied.has(operationId)) this.#held.settle(state, operationId).reject?.(error)
  }
}
