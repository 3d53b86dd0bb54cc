import { LRUCache } from 'lru-cache'
import { lruByCount } from '../lru-by-count.js'

/** Most sessions remembered. */
const MAX_SESSIONS = 50_000

/** The highest version noted of each session. */
export class HighestVersions {
  readonly #versions = new LRUCache<string, number>(lruByCount(MAX_SESSIONS))

  of(sessionId: string): number {
    return this.#versions.get(sessionId) ?? 0
  }

  note(sessionId: string, version: number): void {
    if (version > this.of(sessionId)) this.#versions.set(sessionId, version)
  }
}
