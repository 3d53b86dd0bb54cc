import type { LifeMs } from '../core/backend.js'
import type { HeadDocument } from './documents.js'

const DAY_MS = 24 * 60 * 60 * 1000
/** A vacant head outlives every owner that could still write: an open hook renews its session at least once a day. */
const VACANT_MS = 30 * DAY_MS

type Dates = Pick<HeadDocument, 'endsAt' | 'keptUntil' | 'expiresAt'>

/**
 * When a session ends, and how long its documents are kept: the fields longer than the session, and the head longer
 * than the fields. All are kept for another tenth of the session's life, so that the fields need a renewal only once in
 * that time. What has no grace is kept for its life alone.
 */
export class Lifetime {
  readonly #ttlMs: number | null
  readonly #graceMs: number

  /** `ttlMs`: `null` is for ever. `graceMs`: how long an expired session stays, for its owner and for clocks that differ. */
  constructor(ttlMs: number | null, graceMs: number) {
    this.#ttlMs = ttlMs
    this.#graceMs = graceMs
  }

  /** The dates of a session that lives from now on; none if it lives as long as before. */
  from(nowMs: number, document: HeadDocument | undefined, lifeMs: LifeMs = this.#ttlMs): Partial<Dates> {
    if (lifeMs === 'kept') return {}
    const keptSoFar = document?.session ? document.keptUntil : new Date(0)
    if (lifeMs === null) return { endsAt: undefined, keptUntil: undefined, expiresAt: undefined }
    const endsAt = new Date(nowMs + lifeMs)
    // Fields kept for ever stay so: shortening it would race with an owner that wants them for ever.
    if (keptSoFar == null) return { endsAt, keptUntil: undefined, expiresAt: undefined }
    const neededMs = endsAt.getTime() + this.#graceMs
    const suffices = keptSoFar.getTime() >= neededMs
    const spareMs = this.#graceMs === 0 ? 0 : Math.ceil(lifeMs / 10)
    const keptUntil = suffices ? keptSoFar : new Date(neededMs + spareMs)
    return { endsAt, keptUntil, expiresAt: new Date(keptUntil.getTime() + DAY_MS) }
  }

  static vacant(nowMs: number): Dates {
    return { endsAt: undefined, keptUntil: undefined, expiresAt: new Date(nowMs + VACANT_MS) }
  }
}
