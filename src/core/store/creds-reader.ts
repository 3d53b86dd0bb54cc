import type { StoredCreds } from '../auth-store.js'
import { type Backend, CREDS_FIELD, type Head } from '../backend.js'
import type { Codec } from '../codec/codec.js'
import type { Metrics } from '../metrics.js'
import { decodeCreds } from './creds-shape.js'
import type { RewindGuard } from './rewind-guard.js'

export interface CredsReaderParts {
  backend: Backend
  codec: Codec
  rewinds: RewindGuard
  metrics: Metrics
}

/** Reads the creds of a session, and nothing else of it. */
export class CredsReader {
  readonly #parts: CredsReaderParts

  constructor(parts: CredsReaderParts) {
    this.#parts = parts
  }

  /** `operation`: see `Operations`. `fencingToken`: see `RewindGuard`. */
  async read(
    operation: string,
    sessionId: string,
    fencingToken?: number,
  ): Promise<{ head: Head; creds: StoredCreds | null }> {
    const { backend, rewinds } = this.#parts
    const read = () => backend.read(sessionId, [CREDS_FIELD])
    const { head, values } = await rewinds.read(operation, sessionId, read, fencingToken)
    return { head, creds: head.exists ? this.decode(sessionId, values[0]) : null }
  }

  /** Of a session that exists. */
  decode(sessionId: string, bytes: Uint8Array | undefined): StoredCreds {
    const { codec, metrics } = this.#parts
    metrics.count('read_bytes', bytes?.length ?? 0)
    return decodeCreds(codec, sessionId, bytes)
  }
}
