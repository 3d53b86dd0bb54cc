import type { Claim, ClaimOptions, StoredCreds } from '../auth-store.js'
import { type Backend, CREDS_FIELD, type Head } from '../backend.js'
import type { Codec } from '../codec/codec.js'
import { ForeignDataError, SessionIncompleteError, StoreUnavailableError } from '../errors.js'
import type { Metrics } from '../metrics.js'
import { asStoredCreds } from './creds-shape.js'
import type { Operations } from './operations.js'
import type { RewindGuard } from './rewind-guard.js'
import type { SessionMemory } from './session-memory.js'

export interface ClaimerParts {
  backend: Backend
  codec: Codec
  operations: Operations
  rewinds: RewindGuard
  memory: SessionMemory
  metrics: Metrics
  /** The life of an exclusive lease without renewal. */
  leaseMs: number
}

/** Takes the ownership of sessions. */
export class Claimer {
  readonly #parts: ClaimerParts

  constructor(parts: ClaimerParts) {
    this.#parts = parts
  }

  async claim(sessionId: string, options: ClaimOptions): Promise<Claim> {
    const advice = this.#parts.backend.openingAdvice
    return await this.#claim(sessionId, options).catch(error => {
      throw advice && error instanceof StoreUnavailableError ? error.with({ advice }) : error
    })
  }

  async #claim(
    sessionId: string,
    { exclusive = false, checkCreds, refuseForeign = false }: ClaimOptions,
  ): Promise<Claim> {
    const { backend, rewinds, memory, leaseMs } = this.#parts
    // First reads without taking anything: an opener that cannot read the creds must not cost the owner its session.
    const before = await rewinds.read('open', sessionId, () => backend.read(sessionId, [CREDS_FIELD]))
    const found = this.#decode(sessionId, before.head, before.values[0])
    if (found !== null) checkCreds?.(found)
    else if (refuseForeign) await this.#assertNoForeign(sessionId)
    const endedAt = found === null ? await this.#findEnd(sessionId) : undefined
    const { head, creds, fencingToken } = await rewinds.read('claim', sessionId, call =>
      backend.claim(sessionId, exclusive ? leaseMs : undefined, call),
    )
    memory.noteToken(sessionId, fencingToken)
    memory.cache?.begin(sessionId, fencingToken, head.version)
    const decoded = this.#decode(sessionId, head, creds)
    return { fencingToken, version: head.version, creds: decoded, ...(decoded === null && { endedAt }) }
  }

  /** The end is only information: if the store does not answer, the claim goes on without it. */
  async #findEnd(sessionId: string): Promise<Date | undefined> {
    const { backend, operations } = this.#parts
    const endedAtMs = await operations
      .run('open', sessionId, () => backend.findEnd(sessionId))
      .catch(() => undefined)
    return endedAtMs === undefined ? undefined : new Date(endedAtMs)
  }

  async #assertNoForeign(sessionId: string): Promise<void> {
    const { backend, operations } = this.#parts
    const found = await operations.run('open', sessionId, async () => backend.findForeign?.(sessionId))
    if (found !== undefined) throw new ForeignDataError(found, { sessionId })
  }

  #decode(sessionId: string, head: Head, bytes: Uint8Array | undefined): StoredCreds | null {
    if (!head.exists) return null
    if (bytes === undefined) throw new SessionIncompleteError({ sessionId })
    const { codec, metrics } = this.#parts
    metrics.count('read_bytes', bytes.length)
    return asStoredCreds(codec.decode({ sessionId, ...CREDS_FIELD }, bytes), sessionId)
  }
}
