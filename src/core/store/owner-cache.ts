import { LRUCache } from 'lru-cache'
import { lruByCount } from '../lru-by-count.js'
import { CachedSession, type CachedValue } from './cached-session.js'

/** Most sessions cached. */
const MAX_SESSIONS = 50_000
/** Bytes of an entry besides its name and value, as measured: objects and places in the maps. */
const ENTRY_OVERHEAD_BYTES = 550
/** The largest share of one value, so that it does not push out many others. */
const MAX_ENTRY_PART = 1 / 8

/**
 * The cache of what owners have read and written of their sessions. The fencing token makes it safe: while no process
 * has taken a later one, no other process writes to the session. The next write of an earlier owner is refused, and a
 * write without a token shows in the version.
 */
export class OwnerCache {
  readonly #entries: LRUCache<string, { readonly value: CachedValue }>
  readonly #sessions = new LRUCache<string, CachedSession>(lruByCount(MAX_SESSIONS))

  /** `maxBytes`: for all sessions together. */
  constructor(maxBytes: number) {
    this.#entries = new LRUCache({
      maxSize: maxBytes,
      maxEntrySize: Math.ceil(maxBytes * MAX_ENTRY_PART),
      sizeCalculation: ({ value }, name) => (value?.bytes.length ?? 0) + name.length + ENTRY_OVERHEAD_BYTES,
    })
  }

  get bytes(): number {
    return this.#entries.calculatedSize
  }

  /** A claim has given this token, with the session at this version. */
  begin(sessionId: string, fencingToken: number, version: number): void {
    const session = new CachedSession(this.#entries, `${sessionId}\0${fencingToken}`, fencingToken, version)
    this.#sessions.set(sessionId, session)
  }

  /** The cache of the session, for any owner. */
  of(sessionId: string): CachedSession | undefined {
    return this.#sessions.get(sessionId)
  }

  /** `fencingToken`: forgets the session only if it is still this owner's. */
  forget(sessionId: string, fencingToken?: number): void {
    if (fencingToken === undefined || this.of(sessionId)?.fencingToken === fencingToken) {
      this.#sessions.delete(sessionId)
    }
  }
}
