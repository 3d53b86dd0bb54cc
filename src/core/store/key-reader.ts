import type { Field } from '../auth-store.js'
import type { Backend } from '../backend.js'
import type { Codec } from '../codec/codec.js'
import { unpack } from '../codec/packing.js'
import { FencedError } from '../errors.js'
import type { Metrics } from '../metrics.js'
import type { CachedValue, ReadAnswer } from './cached-session.js'
import { countBytes } from './patch.js'
import type { RewindGuard } from './rewind-guard.js'
import type { SessionMemory } from './session-memory.js'

export interface KeyReaderParts {
  backend: Backend
  codec: Codec
  rewinds: RewindGuard
  memory: SessionMemory
  metrics: Metrics
  usesCache: boolean
}

/** Reads keys from the database, or from the cache of a session that this process owns. */
export class KeyReader {
  readonly #parts: KeyReaderParts

  constructor(parts: KeyReaderParts) {
    this.#parts = parts
  }

  async read(
    sessionId: string,
    type: string,
    ids: readonly string[],
    fencingToken: number | undefined,
  ): Promise<Record<string, unknown>> {
    const fields = ids.map(id => ({ type, id }))
    const values = await this.#readFields(sessionId, fields, fencingToken)
    const found: [string, unknown][] = []
    for (const [i, id] of ids.entries()) {
      const packed = values[i]
      if (packed) found.push([id, unpack({ sessionId, type, id }, packed)])
    }
    return Object.fromEntries(found)
  }

  async #readFields(
    sessionId: string,
    fields: readonly Field[],
    fencingToken: number | undefined,
  ): Promise<readonly CachedValue[]> {
    const { memory, metrics, usesCache } = this.#parts
    const cached = usesCache ? memory.cache?.of(sessionId) : undefined
    if (cached === undefined || cached.fencingToken !== fencingToken) {
      return (await this.#ask(sessionId, fields, fencingToken)).values
    }
    let misses = 0
    const values = await cached.readThrough(fields, missing => {
      misses = missing.length
      return this.#ask(sessionId, missing, fencingToken)
    })
    if (misses > 0) metrics.count('cache_misses', misses)
    if (misses < fields.length) metrics.count('cache_hits', fields.length - misses)
    return values
  }

  async #ask(
    sessionId: string,
    fields: readonly Field[],
    fencingToken: number | undefined,
  ): Promise<ReadAnswer> {
    const { backend, codec, memory, metrics, rewinds } = this.#parts
    const { head, values } = await rewinds.read(
      'getKeys',
      sessionId,
      () => backend.read(sessionId, fields, fencingToken),
      fencingToken ?? memory.token(sessionId),
    )
    // A former owner must not go on: what it reads may be another session, or older than its own writes.
    if (fencingToken !== undefined && fencingToken < head.fence) {
      throw new FencedError(fencingToken, head.exists ? head.fence : undefined, { sessionId })
    }
    metrics.count('read_bytes', countBytes(values))
    const open = (bytes: Uint8Array | undefined, i: number) =>
      bytes === undefined ? null : codec.open({ sessionId, ...(fields[i] as Field) }, bytes)
    return { version: head.version, values: values.map(open) }
  }
}
