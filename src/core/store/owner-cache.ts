import { LRUCache } from 'lru-cache'
import { lruByCount } from '../lru-by-count.js'
import { CachedSession, type CachedValue } from './cached-session.js'

/** Sessions that are cached. */
const MAX_SESSIONS = 50_000
/** What an entry takes beside its name and its value, as measured: objects, places in the maps. */
const ENTRY_OVERHEAD_BYTES = 550
/** A single value must not push out a large part of the others. */
const MAX_ENTRY_PART = 1 / 8

/**
 * What the owner of a session has read and written of it. The fencing token makes it safe: as long as nobody has taken
 * a later one, nobody else writes to the session, and who has is found out by the next write. A write without a token
 * is found out by the version.
 */
export class OwnerCache {
  readonly #entries: LRUCache<string, { readonly value: CachedValue }>
  readonly #sessions = new LRUCache<string, CachedSession>(lruByCount(MAX_SESSIONS))

  /** Of all sessions together. */
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

  /** A claim has given the token; the session is at this version. */
  begin(sessionId: string, fencingToken: number, version: number): void {
    const session = new CachedSession(this.#entries, `${sessionId}\0${fencingToken}`, fencingToken, version)
    this.#sessions.set(sessionId, session)
  }

  /** Whoever owns it. */
  of(sessionId: string): CachedSession | undefined {
    return this.#sessions.get(sessionId)
  }

  /** `fencingToken`: only where the session is still that owner's. */
  forget(sessionId: string, fencingToken?: number): void {
    if (fencingToken === undefined || this.of(sessionId)?.fencingToken === fencingToken) {
      this.#sessions.delete(sessionId)
    }
  }
}
