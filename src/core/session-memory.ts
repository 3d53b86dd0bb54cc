import { LRUCache } from 'lru-cache'
import { toOwnBytes } from './bytes.js'
import { counted } from './counted.js'
import { HighestVersions } from './highest-versions.js'
import { OwnerCache } from './owner-cache.js'
import type { FieldWrite } from './store.js'

/** Sessions whose token is remembered. */
const MAX_SESSIONS = 50_000
/** Bytes of recent writes held, over all sessions. */
const MAX_RECENT_BYTES = 8 * 1024 * 1024
/** What an entry takes beside its value, as measured: name, objects, places in the maps. */
const ENTRY_OVERHEAD_BYTES = 650

interface RecentWrite {
  readonly sessionId: string
  readonly version: number
  readonly write: FieldWrite
}

/**
 * What this process knows of the sessions in a database, in case it goes back in time: the highest version seen of
 * each, and the last writes as they were encoded. Bounded by the two figures above, not by the number of sessions. Of
 * those that it owns it also keeps what it has read and written.
 */
export class SessionMemory {
  readonly #versions = new HighestVersions()
  readonly #tokens = new LRUCache<string, number>(counted(MAX_SESSIONS))
  readonly #writes = new LRUCache<string, RecentWrite>({
    maxSize: MAX_RECENT_BYTES,
    sizeCalculation: ({ write }) => (write.bytes?.length ?? 0) + ENTRY_OVERHEAD_BYTES,
  })
  /** Those that were seen in Redis, where it stands before MongoDB: what has to be in MongoDB before it is believed. */
  readonly hotVersions = new HighestVersions()
  /** `undefined` as long as no store has asked for it. */
  cache: OwnerCache | undefined

  /** The first store that asks decides how large it is. */
  keepCache(maxBytes: number): void {
    this.cache ??= new OwnerCache(maxBytes)
  }

  seenVersion(sessionId: string): number {
    return this.#versions.of(sessionId)
  }

  noteVersion(sessionId: string, version: number): void {
    this.#versions.note(sessionId, version)
    this.cache?.of(sessionId)?.notice(version)
  }

  noteWrites(sessionId: string, version: number, writes: readonly FieldWrite[]): void {
    for (const { type, id, bytes } of writes) {
      const name = JSON.stringify([sessionId, type, id])
      if ((this.#writes.peek(name)?.version ?? 0) > version) continue // the answer to a repeated write comes late
      const write = { type, id, bytes: bytes && toOwnBytes(bytes) }
      this.#writes.set(name, { sessionId, version, write })
    }
  }

  /** What was written after `version`, as far as it is still held. */
  writesAfter(sessionId: string, version: number): FieldWrite[] {
    const held = [...this.#writes.values()]
    return held
      .filter(recent => recent.sessionId === sessionId && recent.version > version)
      .map(recent => recent.write)
  }

  forgetWrites(sessionId: string): void {
    for (const [name, recent] of this.#writes.entries()) {
      if (recent.sessionId === sessionId) this.#writes.delete(name)
    }
  }

  /** The token of this process's last claim. */
  token(sessionId: string): number | undefined {
    return this.#tokens.get(sessionId)
  }

  noteToken(sessionId: string, token: number): void {
    this.#tokens.set(sessionId, token)
  }
}
