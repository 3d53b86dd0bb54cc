import { randomUUID } from 'node:crypto'
import { hasCode, maskSessionId, RewoundError } from './errors.js'
import type { Logger } from './logger.js'
import type { Call } from './retry.js'
import type { SessionMemory } from './session-memory.js'
import type { Backend, CommitResult, FieldWrite, Head, Rewind } from './store.js'

/** A store that keeps going back while it is being healed is given up on after so many times. */
const MAX_HEALS = 3

type Run = <T>(operation: string, sessionId: string, action: (call: Call) => Promise<T>) => Promise<T>

/**
 * Keeps a process from reading a state older than one it has read or written (monotonic reads, read your writes).
 * A store can go back when a backup is restored under it, or a replica that lags is promoted. What this process
 * still holds of the lost writes is then written again; the rest is reported.
 */
export class RewindGuard {
  readonly memory: SessionMemory
  readonly #backend: Backend
  readonly #run: Run
  readonly #logger: Logger
  readonly #listeners = new Set<(rewind: Rewind) => void>()

  constructor(backend: Backend, memory: SessionMemory, run: Run, logger: Logger) {
    this.memory = memory
    this.#backend = backend
    this.#run = run
    this.#logger = logger
  }

  async read<T extends { head: Head }>(
    operation: string,
    sessionId: string,
    action: (call: Call) => Promise<T>,
  ): Promise<T> {
    for (let heals = 0; ; heals++) {
      // From before the call: a write that ends while it is under way may not be in its answer.
      const seenVersion = this.memory.seenVersion(sessionId)
      const result = await this.#run(operation, sessionId, action)
      const { version } = result.head
      if (version >= seenVersion) {
        this.memory.noteVersion(sessionId, version)
        return result
      }
      if (heals === MAX_HEALS) throw new RewoundError(seenVersion, version, { sessionId })
      await this.#heal(sessionId, seenVersion, version)
    }
  }

  async write<T>(
    operation: string,
    sessionId: string,
    action: (seenVersion: number, call: Call) => Promise<T>,
  ): Promise<T> {
    for (let heals = 0; ; heals++) {
      const seenVersion = this.memory.seenVersion(sessionId)
      try {
        return await this.#run(operation, sessionId, call => action(seenVersion, call))
      } catch (error) {
        if (!hasCode(error, 'REWOUND') || heals === MAX_HEALS) throw error
        const { seen, found } = error as RewoundError
        await this.#heal(sessionId, seen, found)
      }
    }
  }

  noteCommit(sessionId: string, { version }: CommitResult, writes: readonly FieldWrite[]): void {
    this.memory.noteVersion(sessionId, version)
    this.memory.noteWrites(sessionId, version, writes)
  }

  onRewind(listener: (rewind: Rewind) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Of many calls that find the same one does it. */
  async #heal(sessionId: string, seenVersion: number, foundVersion: number): Promise<void> {
    const fencingToken = this.memory.token(sessionId)
    for (let attempts = 1; ; attempts++) {
      const { head } = await this.#run('heal', sessionId, () => this.#backend.read(sessionId, []))
      if (this.memory.seenVersion(sessionId) > seenVersion) return
      // Loaded from elsewhere meanwhile it may have its version again, and not what was written.
      const lost = Math.min(foundVersion, head.version)
      const writes = this.memory.writesAfter(sessionId, lost)
      const expectedVersion = head.exists ? head.version : 0
      const commit = { writes, operationId: randomUUID(), fencingToken, expectedVersion, above: seenVersion }
      try {
        const result = await this.#run('heal', sessionId, call =>
          this.#backend.commit(sessionId, { ...commit, call }),
        )
        this.noteCommit(sessionId, result, writes)
        this.#report({ sessionId, seenVersion, foundVersion: lost, rewrittenFields: writes.length })
        return
      } catch (error) {
        if (!hasCode(error, 'VERSION_MISMATCH') || attempts === MAX_HEALS) throw error
      }
    }
  }

  #report(rewind: Rewind): void {
    this.#logger.error(
      { ...rewind, sessionId: maskSessionId(rewind.sessionId) },
      'the store went back in time',
    )
    for (const listener of this.#listeners) listener(rewind)
  }
}
