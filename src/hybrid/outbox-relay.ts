import type { Applied } from '../core/durable-backend.js'
import { FencedError, type StoreError, StoreUnavailableError } from '../core/errors.js'
import { KeyedMutex } from '../core/keyed-mutex.js'
import type { Metrics } from '../core/metrics.js'
import type { Backlog } from './backlog.js'
import { applyInBatches, type Outcome } from './batches.js'
import { isOutage } from './breaker.js'
import type { DurableSide } from './durable-side.js'
import { forEach } from './for-each.js'
import type { Outbox } from './outbox.js'
import type { Parking } from './parking.js'
import { type PendingWrite, toPendingWrite } from './pending-write.js'
import { RetryTimer } from './retry-timer.js'
import type { SessionState, Sessions } from './sessions.js'

const SESSIONS_AT_ONCE = 8
/** What a queue has not seen to after so long, this process does. */
const QUEUE_GRACE_MS = 5000

export interface OutboxRelayParts {
  outbox: Outbox
  durable: DurableSide
  sessions: Sessions
  /** Workers of a queue apply the writes as well: what is not in the outbox any more, they have applied. */
  hasWorkers: boolean
  parking: Parking
  metrics: Metrics
}

/** Writes from the outbox. */
interface Page {
  readonly writes: readonly PendingWrite[]
  /** Up to which it is known what waits. */
  readonly lastVersion: number
  /** Whether nothing waited beyond them. */
  readonly isAll: boolean
}

/**
 * Brings what Redis has taken to the durable store: each session in the order of its versions, and one run at a time. It
 * alone changes a backlog.
 */
export class OutboxRelay {
  /** Entries that the durable store has taken. */
  appliedCount = 0
  /** Told of a session that the durable store has lost: what it was given is a part of what Redis has. */
  onPart: (sessionId: string) => void = () => {}
  readonly #outbox: Outbox
  readonly #durable: DurableSide
  readonly #sessions: Sessions
  readonly #hasWorkers: boolean
  readonly #parking: Parking
  readonly #metrics: Metrics
  readonly #turns = new KeyedMutex()
  readonly #retry: RetryTimer

  constructor({ outbox, durable, sessions, hasWorkers, parking, metrics }: OutboxRelayParts) {
    this.#outbox = outbox
    this.#durable = durable
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

  /** Takes charge of a write that Redis has taken. `operationBefore`: as of `RedisCommit`. */
  add(sessionId: string, write: PendingWrite, operationBefore: string): void {
    this.#sessions.of(sessionId).backlog.add(write, operationBefore)
  }

  /** As `add`; resolves once it is applied. Throws what has kept it from that: it is still tried, later. */
  apply(sessionId: string, write: PendingWrite, operationBefore: string): Promise<Applied> {
    return new Promise((resolve, reject) => {
      this.add(sessionId, { ...write, resolve, reject }, operationBefore)
      if (this.schedule(sessionId)) return
      reject(new StoreUnavailableError('MongoDB', 'its circuit breaker is open.', { sessionId }))
    })
  }

  /** Begins to apply this process's writes; `false`: not before the durable store's breaker closes. */
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

  /** As `schedule`, for what a queue has been told to do. */
  scheduleLater(): void {
    this.#retry.runLater(QUEUE_GRACE_MS)
  }

  /** Applies the writes of this process, and those that are known to wait beside them. */
  applyOwn(sessionId: string): Promise<void> {
    return this.#inTurn(sessionId, async state => {
      const { backlog } = state
      backlog.beginRun()
      while (!backlog.isEmpty || backlog.othersWait) {
        const doneLooking = backlog.beginLook()
        const page = await this.#fetchKnown(sessionId, backlog)
        const applied = await this.#apply(sessionId, state, page).catch(error => {
          if (page.writes.length > 0) backlog.noteOthers() // they still wait
          throw error
        })
        if (page.isAll) doneLooking()
        else backlog.noteOthers()
        const acked = this.#ack(sessionId, applied)
        if (page.writes.length > 0) await acked
        else acked.catch(() => {}) // they are found in the outbox by the next who looks
      }
    })
  }

  /** Applies all that waits in the outbox, whoever has written it. `evenParked`: also what was refused before. */
  async drain(sessionId: string, { evenParked = false } = {}): Promise<void> {
    await this.#inTurn(sessionId, async state => {
      const { backlog } = state
      if (evenParked) backlog.forgetPassedOver()
      for (;;) {
        const doneLooking = backlog.beginLook()
        const page = await this.#fetch(sessionId, backlog, { evenParked })
        if (page.isAll && page.writes.length === 0 && backlog.isEmpty) return doneLooking()
        await this.#ack(sessionId, await this.#apply(sessionId, state, page))
      }
    })
  }

  /** Takes charge of what waits in the outbox, as of writes of this process. */
  async adopt(sessionId: string): Promise<void> {
    await this.#inTurn(sessionId, async ({ backlog }) => {
      backlog.noteOthers()
      const doneLooking = backlog.beginLook()
      const { writes, isAll } = await this.#fetch(sessionId, backlog)
      for (const write of writes) {
        if (!backlog.has(write.operationId)) backlog.add(write, '') // all that waits is found
      }
      if (isAll) doneLooking()
    })
  }

  /** Waits until all writes of this process are applied, or the durable store cannot be reached. */
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

  /** What this process needs of the outbox to go on in order. */
  async #fetchKnown(sessionId: string, backlog: Backlog): Promise<Page> {
    const { isIncomplete } = backlog
    const isLastResort = backlog.othersWait || isIncomplete
    const nothing = { writes: [], lastVersion: backlog.highest, isAll: true }
    if (!isLastResort && !this.#hasWorkers) return nothing
    try {
      return await this.#fetch(sessionId, backlog, { isLastResort })
    } catch (error) {
      const isMissed = isIncomplete || backlog.othersWait || backlog.isEmpty
      if (isMissed || !isOutage(error)) throw error
      return nothing
    }
  }

  async #fetch(
    sessionId: string,
    backlog: Backlog,
    { evenParked = false, isLastResort = false } = {},
  ): Promise<Page> {
    const { highest } = backlog
    const options = { except: backlog.passedOver, isLastResort }
    const { entries, strangeNames, names, isAll } = await this.#outbox.entries(sessionId, options)
    backlog.forgetPassedOver(names)
    for (const name of strangeNames) backlog.passOver(name, '')
    if (strangeNames.length > 0) this.#parking.reportStrange(sessionId, strangeNames.length)
    const writes: PendingWrite[] = []
    for (const { version, entry, digest } of entries) {
      const isRefused = entry === undefined || (entry.status === 'failed' && !evenParked)
      if (isRefused) backlog.passOver(`${version}`, digest)
      else writes.push(toPendingWrite(entry))
      if (entry === undefined) this.#parking.reportUnreadable(sessionId, version)
    }
    const lastEntry = entries.at(-1)?.version ?? 0
    const lastVersion = isAll ? Math.max(highest, lastEntry) : lastEntry
    this.#forgetGone(sessionId, backlog, writes, lastVersion)
    return { writes, lastVersion, isAll }
  }

  /** What there was no room to hold, and is not in the outbox either, has been applied by another process. */
  #forgetGone(
    sessionId: string,
    backlog: Backlog,
    found: readonly PendingWrite[],
    lastVersion: number,
  ): void {
    const names = new Set(found.map(({ operationId }) => operationId))
    for (const { operationId, writes } of backlog.upTo(lastVersion)) {
      if (writes !== undefined || names.has(operationId)) continue
      const context = { sessionId }
      const error = new StoreUnavailableError('MongoDB', 'another process has seen to the write.', context)
      backlog.remove(operationId)?.reject?.(error)
    }
  }

  /** Applies those of the page, and those of this process up to the last of them. What of it is done with. */
  async #apply(sessionId: string, state: SessionState, page: Page): Promise<PendingWrite[]> {
    const inOutbox = new Set(page.writes.map(({ operationId }) => operationId))
    const isOwn = ({ operationId }: PendingWrite) => !inOutbox.has(operationId)
    const own = state.backlog.upTo(page.lastVersion).filter(write => write.writes && isOwn(write))
    const done: PendingWrite[] = []
    for await (const outcome of applyInBatches(this.#durable, sessionId, [...page.writes, ...own], isOwn)) {
      if (outcome.kind === 'applied') {
        this.#noteApplied(sessionId, state, outcome)
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

  #noteApplied(
    sessionId: string,
    { route, backlog }: SessionState,
    { batch, isOwn, applied }: Outcome & { kind: 'applied' },
  ): void {
    // Workers of a queue may have brought over all of them by now, more than the durable store remembers.
    const isByWorkers = this.#hasWorkers && isOwn && applied.version <= backlog.highest
    if (applied.isLate && !isByWorkers) route.noteApart()
    if (applied.isPart) this.onPart(sessionId)
    this.appliedCount += batch.length
    for (const { operationId } of batch) {
      const write = backlog.remove(operationId)
      if (write && (!this.#hasWorkers || !isOwn)) this.#metrics.count('direct_writes')
      write?.resolve?.(applied)
    }
  }

  /** Where the outbox has it, it is applied from there; where it has not, it is none of the session's writes. */
  async #refuse(
    sessionId: string,
    backlog: Backlog,
    { write, error }: Outcome & { kind: 'refused' },
  ): Promise<void> {
    if (error.code !== 'FENCED') return this.#park(sessionId, backlog, write, error)
    backlog.noteOthers()
    backlog.remove(write.operationId)?.reject?.(error)
  }

  /** It is kept for whoever looks into it. */
  async #park(sessionId: string, backlog: Backlog, write: PendingWrite, error: StoreError): Promise<void> {
    const digest = await this.#parking.park(sessionId, write, error, backlog.passedOver)
    if (digest !== undefined) backlog.passOver(`${write.version}`, digest)
    backlog.remove(write.operationId)?.reject?.(error)
  }

  /** I5: only of what the durable store has. */
  async #ack(sessionId: string, applied: readonly PendingWrite[]): Promise<void> {
    if (applied.length > 0) await this.#outbox.ack(sessionId, applied)
  }
}
