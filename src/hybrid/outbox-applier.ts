import type { Applied } from '../core/durable-backend.js'
import { StoreUnavailableError } from '../core/errors.js'
import type { Metrics } from '../core/metrics.js'
import { Turns } from '../core/turns.js'
import { BatchApplier, type Page } from './batch-applier.js'
import { isOutage } from './breaker.js'
import type { DurableSide } from './durable-side.js'
import { forEach } from './for-each.js'
import { HeldWrites } from './held-writes.js'
import type { Outbox } from './outbox.js'
import type { Parking } from './parking.js'
import { type PendingWrite, toPendingWrite } from './pending-write.js'
import type { SessionState, SessionStates } from './session-state.js'

const RETRY_MS = 1000
/** What keeps failing is tried again after twice as long each time, up to this. */
const MAX_RETRY_MS = 16_000
const SESSIONS_AT_ONCE = 8
/** What a queue has not seen to after so long, this process does. */
const QUEUE_GRACE_MS = 5000

export interface OutboxApplierParts {
  outbox: Outbox
  durable: DurableSide
  states: SessionStates
  /** Workers of a queue apply the writes as well: what is not in the outbox any more, they have applied. */
  hasWorkers: boolean
  parking: Parking
  metrics: Metrics
}

/** Brings what Redis has taken to MongoDB: each session in the order of its versions, and one run at a time. */
export class OutboxApplier {
  readonly #outbox: Outbox
  readonly #durable: DurableSide
  readonly #states: SessionStates
  readonly #hasWorkers: boolean
  readonly #parking: Parking
  readonly #held = new HeldWrites()
  readonly #batches: BatchApplier
  readonly #turns = new Turns()
  #retry: NodeJS.Timeout | undefined
  #retryMs = RETRY_MS
  #isClosed = false

  constructor({ outbox, durable, states, hasWorkers, parking, metrics }: OutboxApplierParts) {
    this.#batches = new BatchApplier({ durable, held: this.#held, parking, metrics, hasWorkers })
    this.#outbox = outbox
    this.#durable = durable
    this.#states = states
    this.#hasWorkers = hasWorkers
    this.#parking = parking
    durable.breaker.onChange('close', () => {
      this.#retryMs = RETRY_MS
      this.#retryLater(0)
    })
  }

  /** `listener` is told of each session that MongoDB has lost when it is given a write of it. */
  onPart(listener: (sessionId: string) => void): void {
    this.#batches.onPart = listener
  }

  /** Entries that MongoDB has taken. */
  get appliedCount(): number {
    return this.#batches.appliedCount
  }

  /** Takes charge of a write that Redis has taken. `operationBefore`: as of `RedisCommit`. */
  add(sessionId: string, write: PendingWrite, operationBefore: string): void {
    this.#held.add(this.#states.of(sessionId), write, operationBefore)
  }

  /** As `add`; resolves once MongoDB has it. Throws what has kept it from that: it is still tried, later. */
  apply(sessionId: string, write: PendingWrite, operationBefore: string): Promise<Applied> {
    return new Promise((resolve, reject) => {
      this.add(sessionId, { ...write, resolve, reject }, operationBefore)
      if (this.schedule(sessionId)) return
      reject(new StoreUnavailableError('MongoDB', 'its circuit breaker is open.', { sessionId }))
    })
  }

  /** Begins to bring this process's writes to MongoDB; `false`: not before its breaker closes. */
  schedule(sessionId: string): boolean {
    const state = this.#states.of(sessionId)
    if (state.isScheduled) return true
    if (this.#durable.breaker.isOpen) {
      this.#retryLater(RETRY_MS)
      return false
    }
    state.isScheduled = true
    this.applyOwn(sessionId).catch(() => this.#retryLater(this.#retryMs))
    return true
  }

  /** As `schedule`, for what a queue has been told to do. */
  scheduleLater(): void {
    this.#retryLater(QUEUE_GRACE_MS)
  }

  /** Brings the writes of this process to MongoDB, and those that are known to wait beside them. */
  applyOwn(sessionId: string): Promise<void> {
    return this.#inTurn(sessionId, async state => {
      state.isScheduled = false
      while (state.unapplied.size > 0 || state.hasForeign) {
        const noteFound = state.beginFinding()
        const page = await this.#fetchKnown(sessionId, state)
        const applied = await this.#batches.apply(sessionId, state, page).catch(error => {
          if (page.writes.length > 0) state.noteForeign() // they still wait
          throw error
        })
        if (page.isAll) noteFound()
        else state.noteForeign()
        const acked = this.#ack(sessionId, applied)
        if (page.writes.length > 0) await acked
        else acked.catch(() => {}) // they are found in the outbox by the next who looks
      }
    })
  }

  /** Empties the outbox into MongoDB, whoever has written it. `evenParked`: also what was refused before. */
  async drain(sessionId: string, { evenParked = false } = {}): Promise<void> {
    await this.#inTurn(sessionId, async state => {
      if (evenParked) state.parked.clear()
      for (;;) {
        const noteFound = state.beginFinding()
        const page = await this.#fetch(sessionId, state, { evenParked })
        if (page.isAll && page.writes.length === 0 && state.unapplied.size === 0) return noteFound()
        await this.#ack(sessionId, await this.#batches.apply(sessionId, state, page))
      }
    })
  }

  /** Takes charge of what waits in the outbox, as of writes of this process. */
  async adopt(sessionId: string): Promise<void> {
    await this.#inTurn(sessionId, async state => {
      state.noteForeign()
      const noteFound = state.beginFinding()
      const { writes, isAll } = await this.#fetch(sessionId, state)
      for (const write of writes) {
        if (!state.unapplied.has(write.operationId)) this.add(sessionId, write, '') // all that waits is found
      }
      if (isAll) noteFound()
    })
  }

  /** Waits until MongoDB has all writes of this process, or cannot be reached. */
  async flush(): Promise<void> {
    await forEach(this.#states.withUnapplied(), SESSIONS_AT_ONCE, sessionId => this.applyOwn(sessionId))
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retry)
  }

  #inTurn<T>(sessionId: string, run: (state: SessionState) => Promise<T>): Promise<T> {
    const runOrReject = (state: SessionState) =>
      run(state).catch(error => {
        rejectAll(state, error)
        throw error
      })
    return this.#turns.take(sessionId, () => this.#states.use(sessionId, runOrReject))
  }

  /** What this process needs of the outbox to go on in order. */
  async #fetchKnown(sessionId: string, state: SessionState): Promise<Page> {
    const isIncomplete = [...state.unapplied.values()].some(({ writes }) => writes === undefined)
    const isLastResort = state.hasForeign || isIncomplete
    const nothing = { writes: [], lastVersion: state.highestAdded, isAll: true }
    if (!isLastResort && !this.#hasWorkers) return nothing
    try {
      return await this.#fetch(sessionId, state, { isLastResort })
    } catch (error) {
      const isMissed = isIncomplete || state.hasForeign || state.unapplied.size === 0
      if (isMissed || !isOutage(error)) throw error
      return nothing
    }
  }

  async #fetch(
    sessionId: string,
    state: SessionState,
    { evenParked = false, isLastResort = false } = {},
  ): Promise<Page> {
    const { highestAdded } = state
    const options = { leftOut: state.parked, isLastResort }
    const { entries, strangeNames, names, isAll } = await this.#outbox.entries(sessionId, options)
    for (const name of [...state.parked.keys()]) if (!names.has(name)) state.parked.delete(name)
    this.#parking.passOverStrange(sessionId, state, strangeNames)
    const lastEntry = entries.at(-1)?.version ?? 0
    const lastVersion = isAll ? Math.max(highestAdded, lastEntry) : lastEntry
    const writes: PendingWrite[] = []
    for (const stored of entries) {
      const { entry } = stored
      const isRefused = entry === undefined || (entry.status === 'failed' && !evenParked)
      if (isRefused) this.#parking.passOver(sessionId, state, stored)
      else writes.push(toPendingWrite(entry))
    }
    const found = new Set(writes.map(({ operationId }) => operationId))
    for (const { operationId, version, writes: held } of [...state.unapplied.values()]) {
      // What there was no room to hold and is not in the outbox either has been applied by another process.
      const isGone = held === undefined && version <= lastVersion && !found.has(operationId)
      if (!isGone) continue
      const error = new StoreUnavailableError('MongoDB', 'another process has seen to the write.', {
        sessionId,
      })
      this.#held.settle(state, operationId).reject?.(error)
    }
    return { writes, lastVersion, isAll }
  }

  async #ack(sessionId: string, applied: readonly PendingWrite[]): Promise<void> {
    if (applied.length > 0) await this.#outbox.ack(sessionId, applied)
  }

  /** At once when MongoDB is back, else in a while; never while its breaker is open. */
  #retryLater(ms: number): void {
    if (this.#isClosed || (this.#retry !== undefined && ms > 0)) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      if (this.#durable.breaker.isOpen) this.#retryLater(RETRY_MS)
      else
        this.flush().then(
          () => {
            this.#retryMs = RETRY_MS
          },
          () => {
            this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS)
            this.#retryLater(this.#retryMs)
          },
        )
    }, ms)
    this.#retry.unref()
  }
}

function rejectAll(state: SessionState, error: unknown): void {
  for (const { reject } of state.unapplied.values()) reject?.(error)
}
