import { FencedError, type StoreError, StoreUnavailableError } from '../core/errors.js'
import { forEach } from '../core/for-each.js'
import { KeyedMutex } from '../core/keyed-mutex.js'
import type { Metrics } from '../core/metrics.js'
import { applyInBatches, type Outcome } from './batches.js'
import type { DurableSide } from './durable-side.js'
import type { Forks } from './forks.js'
import type { Outbox } from './outbox/outbox.js'
import { OutboxReader, type Page } from './outbox-reader.js'
import type { Parking } from './parking.js'
import { RetryTimer } from './retry-timer.js'
import type { Backlog } from './session/backlog.js'
import type { AppliedWrite, PendingWrite } from './session/pending-write.js'
import type { SessionState, Sessions } from './session/sessions.js'

const SESSIONS_AT_ONCE = 8
/** A write that the queue has not applied after this time, this process applies. */
const QUEUE_GRACE_MS = 5000

export interface OutboxRelayParts {
  outbox: Outbox
  durable: DurableSide
  forks: Forks
  sessions: Sessions
  /** Workers of a queue apply the writes as well: a write that has left the outbox is applied. */
  hasWorkers: boolean
  parking: Parking
  metrics: Metrics
}

const IN_ORDER = { isForked: false, later: [] }

/**
 * Applies what Redis has taken to the durable store: each session in the order of its versions, one run at a time. Only
 * the relay and its reader change a backlog.
 */
export class OutboxRelay {
  /** Number of entries that the durable store has taken. */
  appliedCount = 0
  /** Called for a session of which one of the two lacks what the other has: it has to be aligned. */
  onDifference: (sessionId: string) => void = () => {}
  readonly #outbox: Outbox
  readonly #reader: OutboxReader
  readonly #durable: DurableSide
  readonly #forks: Forks
  readonly #sessions: Sessions
  readonly #hasWorkers: boolean
  readonly #parking: Parking
  readonly #metrics: Metrics
  readonly #turns = new KeyedMutex()
  readonly #retry: RetryTimer

  constructor({ outbox, durable, forks, sessions, hasWorkers, parking, metrics }: OutboxRelayParts) {
    this.#outbox = outbox
    this.#reader = new OutboxReader({ outbox, parking, hasWorkers })
    this.#durable = durable
    this.#forks = forks
    this.#sessions = sessions
    this.#hasWorkers = hasWorkers
    this.#parking = parking
    this.#metrics = metrics
    this.#retry = new RetryTimer(
      () => this.flush(),
      () => durable.breaker.isOpen,
    )
    durable.breaker.onChange('close', () => this.#retry.runNow())
  }

  /** Takes charge of a write that Redis has taken. `operationBefore`: see `RedisCommit`. */
  add(sessionId: string, write: PendingWrite, operationBefore: string): void {
    this.#sessions.of(sessionId).backlog.add(write, operationBefore)
  }

  /**
   * Same as `add`, but resolves once the write is applied. Throws the error that prevents it; the relay retries later.
   */
  apply(sessionId: string, write: PendingWrite, operationBefore: string): Promise<AppliedWrite> {
    return new Promise((resolve, reject) => {
      this.add(sessionId, { ...write, resolve, reject }, operationBefore)
      if (this.schedule(sessionId)) return
      const error = new StoreUnavailableError('MongoDB', 'its circuit breaker is open.', { sessionId })
      this.#sessions.of(sessionId).backlog.rejectAll(error)
    })
  }

  /** Starts to apply this process's writes; `false`: the durable store's breaker is open, so this happens later. */
  schedule(sessionId: string): boolean {
    const { backlog } = this.#sessions.of(sessionId)
    if (backlog.isScheduled) return true
    if (this.#durable.breaker.isOpen) {
      this.#retry.runLater()
      return false
    }
    backlog.schedule()
    this.applyOwn(sessionId).catch(() => this.#retry.runLater())
    return true
  }

  /** Same as `schedule`, but leaves the queue QUEUE_GRACE_MS to apply the write first. */
  scheduleLater(): void {
    this.#retry.runLater(QUEUE_GRACE_MS)
  }

  /** Applies the writes of this process, and those known to wait beside them. */
  applyOwn(sessionId: string): Promise<void> {
    return this.#inTurn(sessionId, async state => {
      const { backlog } = state
      backlog.beginRun()
      while (!backlog.isEmpty || backlog.othersWait) {
        const doneLooking = backlog.beginLook()
        for await (const page of this.#reader.readKnown(sessionId, state)) {
          const applied = await this.#apply(sessionId, state, page).catch(error => {
            if (page.writes.length > 0) backlog.noteOthers() // they still wait
            throw error
          })
          const acked = this.#ack(sessionId, applied)
          if (page.writes.length > 0) await acked
          else acked.catch(() => {}) // the next run finds the entries in the outbox, and applies them again
        }
        doneLooking()
      }
    })
  }

  /** Applies all that waits in the outbox, whichever process wrote it. `evenParked`: includes parked entries. */
  async drain(sessionId: string, { evenParked = false } = {}): Promise<void> {
    await this.#inTurn(sessionId, async state => {
      const { backlog } = state
      if (evenParked) backlog.forgetPassedOver()
      for (;;) {
        const doneLooking = backlog.beginLook()
        let found = 0
        for await (const page of this.#reader.readAll(sessionId, state, { evenParked })) {
          found += page.writes.length
          await this.#ack(sessionId, await this.#apply(sessionId, state, page))
        }
        if (found === 0 && backlog.isEmpty) return doneLooking()
      }
    })
  }

  /** Takes charge of what waits in the outbox, as if this process had written it. */
  async adopt(sessionId: string): Promise<void> {
    await this.#inTurn(sessionId, async state => {
      const { backlog } = state
      backlog.noteOthers()
      const doneLooking = backlog.beginLook()
      for await (const { writes } of this.#reader.readAll(sessionId, state)) {
        for (const write of writes) {
          if (!backlog.has(write.operationId)) backlog.add(write, '') // this look finds all that waits
        }
      }
      doneLooking()
    })
  }

  /** Waits until all writes of this process are applied. Throws when the durable store cannot be reached. */
  async flush(): Promise<void> {
    await forEach(this.#sessions.withBacklog(), SESSIONS_AT_ONCE, sessionId => this.applyOwn(sessionId))
  }

  close(): void {
    this.#retry.close()
  }

  #inTurn<T>(sessionId: string, run: (state: SessionState) => Promise<T>): Promise<T> {
    const runOrReject = (state: SessionState) =>
      run(state).catch(error => {
        state.backlog.rejectAll(error)
        throw error
      })
    return this.#turns.run(sessionId, () => this.#sessions.use(sessionId, runOrReject))
  }

  /**
   * Applies the writes of the page, and this process's writes up to its last version. Returns the writes that it has
   * applied.
   */
  async #apply(sessionId: string, state: SessionState, page: Page): Promise<PendingWrite[]> {
    const inOutbox = new Set(page.writes.map(({ operationId }) => operationId))
    const isOwn = ({ operationId }: PendingWrite) => !inOutbox.has(operationId)
    const own = state.backlog.upTo(page.lastVersion).filter(write => write.writes && isOwn(write))
    const done: PendingWrite[] = []
    for await (const outcome of applyInBatches(this.#durable, sessionId, [...page.writes, ...own], isOwn)) {
      if (outcome.kind === 'applied') {
        await this.#noteApplied(sessionId, state, outcome)
        done.push(...outcome.batch)
      } else if (outcome.kind === 'barred') {
        for (const write of outcome.batch) {
          const error = new FencedError(write.fencingToken ?? 0, outcome.fence, { sessionId })
          await this.#park(sessionId, state.backlog, write, error)
        }
      } else await this.#refuse(sessionId, state.backlog, outcome)
    }
    return done
  }

  async #noteApplied(
    sessionId: string,
    { backlog }: SessionState,
    { batch, isOwn, applied }: Outcome & { kind: 'applied' },
  ): Promise<void> {
    // Workers of a queue may have applied all of them by now, more than the durable store remembers: not a late write.
    const isByWorkers = this.#hasWorkers && isOwn && applied.version <= backlog.highest
    const isAwaited = ({ operationId }: PendingWrite) => backlog.isAwaited(operationId)
    const { isForked, later } = isByWorkers
      ? IN_ORDER
      : await this.#forks.check(sessionId, applied, batch, isAwaited)
    const isAnyAwaited = batch.some(isAwaited)
    await this.#forks.raise(sessionId, later, applied)
    this.appliedCount += batch.length
    for (const { operationId } of batch) {
      const write = backlog.remove(operationId)
      if (write && (!this.#hasWorkers || !isOwn)) this.#metrics.count('direct_writes')
      write?.resolve?.({ ...applied, isForked })
    }
    // A caller that waits settles the fork, and aligns after that.
    if (applied.isPart || (isForked && !isAnyAwaited)) this.onDifference(sessionId)
  }

  /** After `FENCED`, the next round applies the write from the outbox. If the outbox lacks it, Redis has lost it. */
  async #refuse(
    sessionId: string,
    backlog: Backlog,
    { write, error }: Outcome & { kind: 'refused' },
  ): Promise<void> {
    if (error.code !== 'FENCED') return this.#park(sessionId, backlog, write, error)
    backlog.noteOthers()
    backlog.remove(write.operationId)?.reject?.(error)
  }

  /** Sets the write aside in the outbox, for the operator to inspect. */
  async #park(sessionId: string, backlog: Backlog, write: PendingWrite, error: StoreError): Promise<void> {
    const digest = await this.#parking.park(sessionId, write, error)
    if (digest !== undefined) backlog.passOver(`${write.version}`, digest)
    backlog.remove(write.operationId)?.reject?.(error)
  }

  /** I5: only for writes that the durable store has. */
  async #ack(sessionId: string, applied: readonly PendingWrite[]): Promise<void> {
    if (applied.length > 0) await this.#outbox.ack(sessionId, applied)
  }
}
