import type { HeadDocument } from './documents.js'

const DAY_MS = 24 * 60 * 60 * 1000
/** How long an expired session stays, for an owner that comes back and for clocks that differ. */
const GRACE_MS = DAY_MS
/** A vacant head outlives every owner that could still write: an open hook renews its session at least once a day. */
const VACANT_MS = 30 * DAY_MS

type Dates = Pick<HeadDocument, 'endsAt' | 'keptUntil' | 'expiresAt'>

/**
 * When a session ends, and how long its documents are kept: the fields longer than the session, and the head longer
 * than the fields. All are kept for another tenth of the session's life, so that the fields need a renewal only once in
 * that time.
 */
export class Lifetime {
  readonly #ttlMs: number | null

  /** `null`: for ever. */
  constructor(ttlMs: number | null) {
    this.#ttlMs = ttlMs
  }

  from(nowMs: number, document: HeadDocument | undefined): Dates {
    const keptSoFar = document?.session ? document.keptUntil : new Date(0)
    if (this.#ttlMs === null) return { endsAt: undefined, keptUntil: undefined, expiresAt: undefined }
    const endsAt = new Date(nowMs + this.#ttlMs)
    // Fields kept for ever stay so: shortening it would race with an owner that wants them for ever.
    if (keptSoFar == null) return { endsAt, keptUntil: undefined, expiresAt: undefined }
    const neededMs = endsAt.getTime() + GRACE_MS
    const suffices = keptSoFar.getTime() >= neededMs
    const keptUntil = suffices ? keptSoFar : new Date(neededMs + Math.ceil(this.#ttlMs / 10))
    return { endsAt, keptUntil, expiresAt: new Date(keptUntil.getTime() + DAY_MS) }
  }

  static vacant(nowMs: number): Dates {
    return { endsAt: undefined, keptUntil: undefined, expiresAt: new Date(nowMs + VACANT_MS) }
  }
}
