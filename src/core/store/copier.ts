import {
  type Backend,
  type BackendDeletion,
  CREDS_FIELD,
  type Head,
  type SnapshotResult,
  type StoredField,
} from '../backend.js'
import type { Codec } from '../codec/codec.js'
import { readPairing } from '../codec/envelope.js'
import { VersionMismatchError } from '../errors.js'
import type { Logger } from '../logger.js'
import { maskSessionId } from '../masking.js'
import { decodeCreds } from './creds-shape.js'
import type { HeldDeletion } from './heal-plan.js'
import type { Operations } from './operations.js'
import { isUnfinishedImport, unlessDamaged } from './session-damage.js'
import type { SessionMemory } from './session-memory.js'
import { type FoundCopy, TrashCopies } from './trash-copies.js'
import { isUpToDate, type TrashNote } from './trash-note.js'

export interface CopierParts {
  backend: Backend
  codec: Codec
  operations: Operations
  memory: SessionMemory
  logger: Logger
  /** How long a deleted session can be restored, in ms. `null`: for ever; 0: not at all. */
  keepMs: number | null
}

/** A deletion as its copy needs it. */
interface Copied {
  /** The deletion's. */
  operationId: string
  /** The copy that there was before. */
  earlier: FoundCopy | undefined
  whole: SnapshotResult
}

type Remove<T extends unknown[]> = (...terms: T) => Promise<BackendDeletion>

/** Deletes sessions that can be restored: makes a copy, has the session removed, and notes in the copy that it was. */
export class Copier {
  readonly copies: TrashCopies
  readonly #parts: CopierParts

  constructor(parts: CopierParts) {
    this.#parts = parts
    this.copies = new TrashCopies(parts)
  }

  /** Whether a deletion makes a copy. */
  get keepsCopies(): boolean {
    return this.#parts.keepMs !== 0
  }

  /**
   * `remove` deletes the session if it still is at that version. Throws `VERSION_MISMATCH` if others have changed the
   * session or its copy in between. `operation`: see `Operations`.
   */
  async delete(
    operation: string,
    sessionId: string,
    copied: Copied,
    remove: Remove<[version: number]>,
  ): Promise<BackendDeletion> {
    const { operationId: id, whole } = copied
    const copyVersion = await this.#prepare(operation, sessionId, copied)
    const deleted = await remove(whole.head.exists ? whole.head.version : 0)
    if (copyVersion !== undefined) {
      const note = { id, state: 'deleted', version: deleted.version } as const
      await this.tidy(sessionId, () => this.copies.note(operation, sessionId, note, copyVersion))
    }
    return deleted
  }

  /** Deletes a session once more that has come back, because its database has gone back in time. */
  async repeat(
    sessionId: string,
    { head, held, operationId }: { head: Head; held: HeldDeletion; operationId: string },
    remove: Remove<[]>,
  ): Promise<BackendDeletion> {
    if (held.copy === 'remove') await this.copies.remove('heal', sessionId)
    if (held.copy !== 'make' || !this.keepsCopies || !head.exists) return remove()
    const earlier = await this.copies.open('heal', sessionId)
    if (await this.#renew(sessionId, operationId, earlier, held)) return remove()
    const { backend, operations } = this.#parts
    const reading = operations.run('heal', sessionId, () => backend.readAll(sessionId))
    const whole = await unlessDamaged(reading)
    if (whole === undefined) return remove()
    if (whole.head.version !== head.version) throw toMismatch(sessionId, head.version, whole.head.version)
    return this.delete('heal', sessionId, { operationId, earlier, whole }, remove)
  }

  /**
   * Notes of a copy that is up to date that it is so: after the next deletion of the session, nothing else would tell.
   * `false`: another one has replaced it.
   */
  async keep(operation: string, sessionId: string, note: TrashNote, copyVersion: number): Promise<boolean> {
    if (note.state === 'deleted') return true
    const kept = { id: note.id, state: 'deleted', version: note.version } as const
    return (await this.copies.note(operation, sessionId, kept, copyVersion)) !== undefined
  }

  isUpToDate(operation: string, sessionId: string, note: TrashNote): Promise<boolean> {
    const { backend, operations } = this.#parts
    const read = () => backend.readHistory(sessionId, [])
    return isUpToDate(note, () => operations.run(operation, sessionId, read))
  }

  /** What comes after a deletion or a restoration that is done: its failure is not theirs. */
  async tidy(sessionId: string, action: () => Promise<unknown>): Promise<void> {
    await action().catch((error: Error) => {
      const about = { sessionId: maskSessionId(sessionId), error: error.message }
      this.#parts.logger.warn(about, 'the copy of a deleted session was not brought up to date')
    })
  }

  /** Returns the version of the copy that the deletion has to confirm; `undefined`: there is none. */
  async #prepare(
    operation: string,
    sessionId: string,
    { operationId, earlier, whole }: Copied,
  ): Promise<number | undefined> {
    const { note, version, isPaired } = earlier ?? {}
    const isNothing = !whole.head.exists || this.#isUnfinished(sessionId, whole)
    // The session may be absent because another deletion of it has just ended; or be one that was never paired.
    const isCopyWorthMore = isNothing || (isPaired === true && isUnpaired(whole.fields))
    if (note !== undefined && version !== undefined && isCopyWorthMore) {
      if (await this.isUpToDate(operation, sessionId, note)) {
        if (await this.keep(operation, sessionId, note, version)) return undefined
        throw toMismatch(sessionId, version, 0)
      }
      if (isNothing) await this.copies.discard(operation, sessionId, note, version)
    }
    return isNothing ? undefined : this.copies.write(operation, sessionId, operationId, earlier, whole)
  }

  /** Makes the copy of a deletion that of its repetition: what has come back may be older. `false`: it is gone. */
  async #renew(
    sessionId: string,
    id: string,
    earlier: FoundCopy | undefined,
    held: HeldDeletion,
  ): Promise<boolean> {
    const { note, version } = earlier ?? {}
    if (held.operation === '' || note?.id !== held.operation || version === undefined) return false
    const renewed = { id, state: 'deleted', version: held.version } as const
    return (await this.copies.note('heal', sessionId, renewed, version)) !== undefined
  }

  /** What an import has left that did not end is no session: nobody wants it back. */
  #isUnfinished(sessionId: string, { fields }: SnapshotResult): boolean {
    try {
      decodeCreds(this.#parts.codec, sessionId, fields.find(isCreds)?.bytes)
      return false
    } catch (error) {
      return isUnfinishedImport(error)
    }
  }
}

export function isCreds({ type }: StoredField): boolean {
  return type === CREDS_FIELD.type
}

function isUnpaired(fields: readonly StoredField[]): boolean {
  return readPairing(fields.find(isCreds)?.bytes) === false
}

function toMismatch(sessionId: string, expected: number, actual: number): VersionMismatchError {
  return new VersionMismatchError(expected, actual, { sessionId })
}
