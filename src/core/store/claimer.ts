import type { Claim, ClaimOptions } from '../auth-store.js'
import type { Backend } from '../backend.js'
import { ForeignDataError, StoreUnavailableError } from '../errors.js'
import type { Metrics } from '../metrics.js'
import type { CredsReader } from './creds-reader.js'
import type { Operations } from './operations.js'
import type { RewindGuard } from './rewind-guard.js'
import type { SessionMemory } from './session-memory.js'

export interface ClaimerParts {
  backend: Backend
  operations: Operations
  reader: CredsReader
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
    { exclusive = false, owner, checkCreds, refuseForeign = false }: ClaimOptions,
  ): Promise<Claim> {
    const { backend, reader, rewinds, memory, metrics, leaseMs } = this.#parts
    // First reads without taking anything: an opener that cannot read the creds must not cost the owner its session.
    const { creds: found } = await reader.read('open', sessionId)
    if (found !== null) checkCreds?.(found)
    else if (refuseForeign) await this.#assertNoForeign(sessionId)
    const endedAt = found === null ? await this.#findEnd(sessionId) : undefined
    const { head, creds, fencingToken } = await rewinds.read('claim', sessionId, call =>
      backend.claim(sessionId, { leaseMs: exclusive ? leaseMs : undefined, owner, call }),
    )
    metrics.count('sessions_opened')
    memory.noteToken(sessionId, fencingToken)
    memory.cache?.begin(sessionId, fencingToken, head.version)
    const decoded = head.exists ? reader.decode(sessionId, creds) : null
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
}
