import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from '../../core/errors.js'
import type { OutboxMeasure } from '../../core/metrics.js'
import type { KeyNames } from '../../redis/key-names.js'
import type { Outbox } from './outbox.js'

/** The holder of the lock counts for all processes. If it dies, the others wait for this long. */
const LOCK_MS = 60_000
/** How long Redis keeps a count for the other processes. */
const KEPT_MS = 60 * 60 * 1000
/** How long a scrape of the metrics waits for a new count, before it uses the last one. */
const COUNT_MS = 2000
/** A failed count differs from a count of zero. */
const UNKNOWN: OutboxMeasure = { depth: Number.NaN, largestDepth: Number.NaN, oldestAgeMs: Number.NaN }

/** What waits in the outboxes counted so far. */
export interface Tally {
  depth: number
  largestDepth: number
  /** `null`: there is no readable entry. */
  oldestAtMs: number | null
  countedAtMs: number
}

export interface OutboxCensusParts {
  outbox: Outbox
  names: KeyNames
  /** How long a count of all outboxes stays valid. */
  metricsIntervalMs: number
  now: () => number
}

/** Counts what waits in all outboxes; one process counts for all that share the Redis. */
export class OutboxCensus {
  readonly #outbox: Outbox
  readonly #names: KeyNames
  readonly #metricsIntervalMs: number
  readonly #now: () => number
  #measuredAtMs = Number.NEGATIVE_INFINITY
  #measure: OutboxMeasure = UNKNOWN
  #measuring: Promise<OutboxMeasure> = Promise.resolve(UNKNOWN)

  constructor({ outbox, names, metricsIntervalMs, now }: OutboxCensusParts) {
    this.#outbox = outbox
    this.#names = names
    this.#metricsIntervalMs = metricsIntervalMs
    this.#now = now
  }

  begin(): Tally {
    return { depth: 0, largestDepth: 0, oldestAtMs: null, countedAtMs: this.#now() }
  }

  /** Adds a session's outbox. Ignores a foreign key of that name. */
  async add(tally: Tally, sessionId: string): Promise<void> {
    const found = await this.#outbox.list(sessionId).catch(error => {
      if (!hasCode(error, 'CORRUPT_VALUE')) throw error
    })
    if (!found) return
    const { versions, strange } = found
    const count = versions.length + strange.length
    tally.depth += count
    tally.largestDepth = Math.max(tally.largestDepth, count)
    const [lowest] = versions
    const first = lowest === undefined ? undefined : await this.#outbox.entryAt(sessionId, Number(lowest))
    if (first?.entry)
      tally.oldestAtMs = Math.min(tally.oldestAtMs ?? first.entry.createdAt, first.entry.createdAt)
  }

  publish(tally: Tally): Promise<void> {
    return this.#outbox.note(this.#names.count, JSON.stringify(tally), KEPT_MS)
  }

  /** The last count, or a new one if that is too old. Does not keep a failed count. */
  measure(): Promise<OutboxMeasure> {
    if (performance.now() - this.#measuredAtMs >= this.#metricsIntervalMs) {
      this.#measuredAtMs = performance.now()
      this.#measuring = this.#takeMeasure()
    }
    const before = sleep(COUNT_MS, undefined, { ref: false }).then(() => this.#measure)
    return Promise.race([this.#measuring, before])
  }

  async #takeMeasure(): Promise<OutboxMeasure> {
    try {
      this.#measure = await this.#count()
    } catch {
      this.#measure = UNKNOWN
      this.#measuredAtMs = Number.NEGATIVE_INFINITY
    }
    return this.#measure
  }

  /** A valid count of any process, else a new one; the last one while another process counts. */
  async #count(): Promise<OutboxMeasure> {
    let known = await this.#recall()
    if (known && Math.abs(this.#now() - known.countedAtMs) < this.#metricsIntervalMs)
      return this.#toMeasure(known)
    await this.#outbox.locks.run(this.#names.countLock, LOCK_MS, async () => {
      const tally = this.begin()
      await this.#outbox.forEachSession(sessionId => this.add(tally, sessionId))
      await this.publish(tally)
      known = tally
    })
    return known ? this.#toMeasure(known) : UNKNOWN
  }

  async #recall(): Promise<Tally | undefined> {
    const text = await this.#outbox.recall(this.#names.count)
    try {
      const { depth, largestDepth, oldestAtMs, countedAtMs } = JSON.parse(text ?? '') as Tally
      const numbers = [depth, largestDepth, oldestAtMs ?? 0, countedAtMs]
      return numbers.every(Number.isSafeInteger)
        ? { depth, largestDepth, oldestAtMs, countedAtMs }
        : undefined
    } catch {
      return undefined // there is no count, or the text is foreign
    }
  }

  #toMeasure({ depth, largestDepth, oldestAtMs }: Tally): OutboxMeasure {
    const oldestAgeMs = oldestAtMs === null ? 0 : Math.max(0, this.#now() - oldestAtMs)
    return { depth, largestDepth, oldestAgeMs }
  }
}
