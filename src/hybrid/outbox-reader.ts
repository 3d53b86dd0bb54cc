import { StoreUnavailableError } from '../core/errors.js'
import { isOutage } from './breaker/outage.js'
import type { Outbox } from './outbox/outbox.js'
import { type OutboxPage, readPages } from './outbox/outbox-pages.js'
import type { Parking } from './parking.js'
import type { Backlog } from './session/backlog.js'
import { type PendingWrite, toPendingWrite } from './session/pending-write.js'
import type { SessionState } from './session/sessions.js'

/** Writes from the outbox. */
export interface Page {
  readonly writes: readonly PendingWrite[]
  /** All writes up to this version are known. */
  readonly lastVersion: number
}

export interface OutboxReaderParts {
  outbox: Outbox
  parking: Parking
  /** See `OutboxRelayParts`. */
  hasWorkers: boolean
}

/** Reads what waits in the outbox of a session, page by page, and passes over what cannot be applied. */
export class OutboxReader {
  readonly #outbox: Outbox
  readonly #parking: Parking
  readonly #hasWorkers: boolean

  constructor({ outbox, parking, hasWorkers }: OutboxReaderParts) {
    this.#outbox = outbox
    this.#parking = parking
    this.#hasWorkers = hasWorkers
  }

  /** The part that this process needs to keep the order of versions (I3), at least one page. */
  async *readKnown(sessionId: string, state: SessionState): AsyncGenerator<Page> {
    const { backlog } = state
    const { isIncomplete } = backlog
    const isLastResort = backlog.othersWait || isIncomplete
    const nothing = { writes: [], lastVersion: backlog.highest }
    if (!isLastResort && !this.#hasWorkers) return yield nothing
    let isBegun = false
    try {
      for await (const page of this.readAll(sessionId, state, { isLastResort })) {
        isBegun = true
        yield page
      }
    } catch (error) {
      const isMissed = isIncomplete || backlog.othersWait || backlog.isEmpty
      if (isBegun || isMissed || !isOutage(error)) throw error
      yield nothing
    }
  }

  /** All of it, at least one page. `evenParked`: includes parked entries. */
  async *readAll(
    sessionId: string,
    state: SessionState,
    { evenParked = false, isLastResort = false } = {},
  ): AsyncGenerator<Page> {
    const { backlog } = state
    const { highest } = backlog // of a later write, it is not known what waits before it
    const onNames = (names: ReadonlySet<string>, strange: readonly string[]) => {
      backlog.forgetPassedOver(names)
      const unknown = strange.filter(name => !backlog.passedOver.has(name))
      for (const name of unknown) backlog.passOver(name, '')
      if (unknown.length > 0) this.#parking.reportStrange(sessionId, unknown.length)
    }
    const options = { except: backlog.passedOver, isLastResort, onNames }
    for await (const { entries, isLast } of readPages(this.#outbox, sessionId, options)) {
      // Own writes whose answers came together with this one are examined first: their versions were not taken before.
      if (entries.length > 0) await new Promise(resolve => setImmediate(resolve))
      const writes = this.#toWrites(sessionId, state, entries, evenParked)
      const lastEntry = entries.at(-1)?.version ?? 0
      const lastVersion = isLast ? Math.max(highest, lastEntry) : lastEntry
      this.#forgetGone(sessionId, backlog, writes, lastVersion)
      yield { writes, lastVersion }
    }
  }

  #toWrites(
    sessionId: string,
    { route, backlog }: SessionState,
    entries: OutboxPage['entries'],
    evenParked: boolean,
  ): PendingWrite[] {
    const writes: PendingWrite[] = []
    for (const { version, entry, digest } of entries) {
      const isRefused = entry === undefined || (entry.status === 'failed' && !evenParked)
      if (entry !== undefined) route.noteTaken(version)
      if (isRefused) backlog.passOver(`${version}`, digest)
      else writes.push(toPendingWrite(entry))
      if (entry === undefined) this.#parking.reportUnreadable(sessionId, version)
    }
    return writes
  }

  /** Another process has applied a write that is gone from the outbox, and whose values this process does not hold. */
  #forgetGone(
    sessionId: string,
    backlog: Backlog,
    found: readonly PendingWrite[],
    lastVersion: number,
  ): void {
    const names = new Set(found.map(({ operationId }) => operationId))
    for (const { operationId, writes } of backlog.upTo(lastVersion)) {
      if (writes !== undefined || names.has(operationId)) continue
      const error = new StoreUnavailableError('MongoDB', 'another process has applied the write.', {
        sessionId,
      })
      backlog.remove(operationId)?.reject?.(error)
    }
  }
}
