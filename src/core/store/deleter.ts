import type { Backend, BackendDeletion, Guard } from '../backend.js'
import type { Metrics } from '../metrics.js'
import type { CopyPolicy } from './heal-plan.js'
import type { RewindGuard } from './rewind-guard.js'
import type { SessionMemory } from './session-memory.js'

export interface DeleterParts {
  backend: Backend
  rewinds: RewindGuard
  memory: SessionMemory
  metrics: Metrics
}

/** What the caller of a deletion asks for. */
export type DeletionGuard = Pick<Guard, 'expectedVersion' | 'fencingToken'>

/** What the deletion is to the trash, and to the database. */
export interface DeletionTerms {
  /** What is done about the copy, also when the deletion has to be repeated. */
  copy: CopyPolicy
  operationId?: string
  /** How many the session has, if that is known. */
  fields?: number
}

/** Removes sessions, and remembers the deletions for as long as the process may have to tell them to a store. */
export class Deleter {
  readonly #parts: DeleterParts

  constructor(parts: DeleterParts) {
    this.#parts = parts
  }

  async delete(
    sessionId: string,
    guard: DeletionGuard,
    { copy, fields, operationId = this.#parts.memory.operationIds.next() }: DeletionTerms,
  ): Promise<BackendDeletion> {
    const { backend, rewinds, memory, metrics } = this.#parts
    const deletion = { operationId, ...guard }
    const deleted = await rewinds.write(
      'delete',
      sessionId,
      (seen, call) => backend.delete(sessionId, { ...deletion, ...seen, call }),
      fields,
    )
    memory.noteDeletion(sessionId, deleted, copy)
    metrics.count('sessions_deleted')
    return deleted
  }
}
