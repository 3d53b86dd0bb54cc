import { LRUCache } from 'lru-cache'
import type { FieldWrite } from '../backend.js'
import { toOwnBytes } from '../bytes.js'
import type { HeldWrite } from './heal-plan.js'

/** Most bytes of recent writes, over all sessions. */
const MAX_BYTES = 8 * 1024 * 1024
/** Bytes of an entry besides its value, as measured: name, objects and places in the maps. */
const ENTRY_OVERHEAD_BYTES = 650

interface RecentWrite extends HeldWrite {
  readonly sessionId: string
}

/** The last writes of this process in encoded form, the last one of each field. Bounded in bytes, not in sessions. */
export class RecentWrites {
  readonly #writes = new LRUCache<string, RecentWrite>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ write }) => (write.bytes?.length ?? 0) + ENTRY_OVERHEAD_BYTES,
    noDisposeOnSet: true,
    dispose: ({ sessionId }, name) => this.#unlist(sessionId, name),
  })
  /** The names in `#writes`, by session. */
  readonly #names = new Map<string, Set<string>>()

  /** `operation`: the one that wrote them, if the store keeps the operation of each version. */
  note(
    sessionId: string,
    version: number,
    writes: readonly FieldWrite[],
    { operation, token }: Pick<HeldWrite, 'operation' | 'token'>,
  ): void {
    for (const { type, id, bytes } of writes) {
      const name = nameOf(sessionId, type, id)
      if ((this.#writes.peek(name)?.version ?? 0) > version) continue // a late answer to a repeated write
      const write = { type, id, bytes: bytes && toOwnBytes(bytes) }
      this.#writes.set(name, { sessionId, version, operation, write, token })
      if (this.#writes.has(name)) this.#list(sessionId, name) // a write above the bound is not kept
    }
  }

  /** The writes after `version` that are still held. */
  after(sessionId: string, version: number): HeldWrite[] {
    const held = [...(this.#names.get(sessionId) ?? [])].map(name => this.#writes.peek(name))
    return held.filter(write => write !== undefined && write.version > version) as HeldWrite[]
  }

  /** Forgets these writes, except where a later one to the same field is held. */
  drop(sessionId: string, writes: readonly HeldWrite[]): void {
    for (const { version, write } of writes) {
      const name = nameOf(sessionId, write.type, write.id)
      if (this.#writes.peek(name)?.version === version) this.#writes.delete(name)
    }
  }

  forget(sessionId: string): void {
    for (const name of this.#names.get(sessionId) ?? []) this.#writes.delete(name)
  }

  #list(sessionId: string, name: string): void {
    const names = this.#names.get(sessionId)
    if (names === undefined) this.#names.set(sessionId, new Set([name]))
    else names.add(name)
  }

  #unlist(sessionId: string, name: string): void {
    const names = this.#names.get(sessionId)
    names?.delete(name)
    if (names?.size === 0) this.#names.delete(sessionId)
  }
}

/** The lengths keep names apart that look alike when they are joined. */
function nameOf(sessionId: string, type: string, id: string): string {
  return `${sessionId.length} ${type.length} ${sessionId}${type}${id}`
}
