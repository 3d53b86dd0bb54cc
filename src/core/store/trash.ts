import type { DeletionResult, SessionInfo } from '../auth-store.js'
import {
  type Backend,
  type CommitResult,
  CREDS_FIELD,
  type Head,
  type SnapshotResult,
  type StoredField,
  type Summary,
} from '../backend.js'
import { readPairing } from '../codec/envelope.js'
import { FencedError, hasCode, VersionMismatchError } from '../errors.js'
import type { Logger } from '../logger.js'
import { maskSessionId } from '../masking.js'
import type { Metrics } from '../metrics.js'
import { toTrashName } from '../names.js'
import type { CredsReader } from './creds-reader.js'
import type { Deleter, DeletionGuard } from './deleter.js'
import type { Operations } from './operations.js'
import type { RewindGuard } from './rewind-guard.js'
import { isSessionDamage, isUnfinishedImport } from './session-damage.js'
import type { SessionMemory } from './session-memory.js'
import { type FoundCopy, TrashCopies, type WholeCopy } from './trash-copies.js'
import { decodeNote, isUpToDate, NOTE_FIELD, type TrashNote, toDamage, toPurge } from './trash-note.js'

/** Most attempts of one deletion or restoration, while others write, open, delete or restore the session. */
const MAX_ATTEMPTS = 10
/** After this many, a deletion takes the session from its owner, whose next write is refused. */
const PATIENT_ATTEMPTS = 3
const ADVICE =
  'A paired session has this name. To restore the deleted one in its place, delete the paired one through a store with ' +
  '"trash.keepSeconds: 0": other deletions replace the earlier copy.'
const BUSY = 'Others open, delete or restore the session at the same time. End them, and restore it again.'

export interface TrashParts {
  backend: Backend
  operations: Operations
  rewinds: RewindGuard
  deleter: Deleter
  reader: CredsReader
  memory: SessionMemory
  metrics: Metrics
  logger: Logger
  /** How long a deleted session can be restored, in ms. `null`: for ever; 0: not at all. */
  keepMs: number | null
}

/** Others have changed the session or its copy in between, at this version of the session or later. */
interface Overtaken {
  overtakenAt: number
}

/**
 * Keeps deleted sessions. A deletion copies the session first, and removes it only at the version that was copied. A
 * restoration begins a new life of the session with the copied fields, so that writes and owners of the deleted life are
 * refused as after any deletion.
 */
export class Trash {
  readonly #parts: TrashParts
  readonly #copies: TrashCopies

  constructor(parts: TrashParts) {
    this.#parts = parts
    this.#copies = new TrashCopies(parts)
  }

  async delete(sessionId: string, guard: DeletionGuard): Promise<DeletionResult> {
    const { deleter, keepMs, logger } = this.#parts
    if (keepMs === 0) return deleter.delete(sessionId, guard)
    for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts++) {
      try {
        return await this.#deleteOnce(sessionId, guard)
      } catch (error) {
        if (!hasCode(error, 'VERSION_MISMATCH') || guard.expectedVersion !== undefined) throw error
      }
      if (attempts >= PATIENT_ATTEMPTS && guard.fencingToken === undefined) await this.#takeOver(sessionId)
    }
    const about = { sessionId: maskSessionId(sessionId), attempts: MAX_ATTEMPTS }
    logger.warn(about, 'a session was written all the time while it was deleted: it cannot be restored')
    await this.#copies.remove('delete', sessionId)
    return deleter.delete(sessionId, guard)
  }

  /**
   * `null`: there is nothing to restore. Throws `VERSION_MISMATCH` if there is a session that may be paired, and
   * `SESSION_LOCKED` if there is an owner with a lease.
   */
  async restore(sessionId: string): Promise<CommitResult | null> {
    let version = 0
    for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts++) {
      const result = await this.#restoreOnce(sessionId)
      if (result === null || !('overtakenAt' in result)) return result
      version = result.overtakenAt
    }
    throw new VersionMismatchError(0, version, { sessionId }, BUSY)
  }

  /** Removes the session and its copy for good. */
  async purge(sessionId: string): Promise<DeletionResult> {
    const { deleter, memory } = this.#parts
    await this.#copies.remove('purge', sessionId)
    const deleted = await deleter.delete(sessionId, {}, toPurge(memory.operationIds.next()))
    // A deletion at the same time may have made another one.
    const copy = await this.#copies.find('purge', sessionId)
    if (copy !== undefined) await this.#copies.remove('purge', sessionId)
    return deleted
  }

  /** The deleted session of this name, or `null` if there is none that can be restored. Part of an operation of the caller. */
  async describe(sessionId: string): Promise<SessionInfo | null> {
    const { backend } = this.#parts
    const name = toTrashName(sessionId)
    const [found, copy, present] = await Promise.all([
      backend.read(name, [NOTE_FIELD]),
      backend.summarize(name),
      backend.summarize(sessionId),
    ])
    if (!found.head.exists || !copy.head.exists) return null
    const note = decodeNote(found.values[0])
    if (note === undefined) throw toDamage(sessionId)
    if (!isReplaceable(present)) return null
    if (!(await isUpToDate(note, () => backend.readHistory(sessionId, [])))) return null
    const { head, creds, expiresAtMs } = copy
    const deletedAt = new Date(head.updatedAtMs)
    return {
      sessionId,
      version: note.version,
      isPaired: readPairing(creds) ?? null,
      createdAt: null,
      updatedAt: deletedAt,
      deletedAt,
      expiresAt: expiresAtMs === undefined ? null : new Date(expiresAtMs),
      owner: null,
    }
  }

  /** Throws `VERSION_MISMATCH` if others have changed the session or its copy in between. */
  async #deleteOnce(sessionId: string, guard: DeletionGuard): Promise<DeletionResult> {
    const { deleter, memory } = this.#parts
    const earlier = await this.#copies.open('delete', sessionId) // before the session: see `TrashCopies.write`
    const whole = await this.#readWhole(sessionId)
    if (whole === undefined) return deleter.delete(sessionId, guard)
    const { head } = whole
    if (isOther(guard, head)) {
      return head.exists ? this.#refuse(sessionId, head, guard) : deleter.delete(sessionId, guard)
    }
    const operationId = memory.operationIds.next()
    const copyVersion = await this.#prepareCopy(sessionId, operationId, earlier, whole)
    const version = head.exists ? head.version : 0
    const exact = { ...guard, expectedVersion: version }
    const deleted = await deleter.delete(sessionId, exact, operationId, whole.fields.length)
    if (copyVersion !== undefined) {
      const note = { id: operationId, state: 'deleted', version: deleted.version } as const
      await this.#tidy(sessionId, () => this.#copies.note('delete', sessionId, note, copyVersion))
    }
    return deleted
  }

  /**
   * Throws for a session that is not the caller's to delete. A hybrid store may know this in one database alone, and the
   * other one would delete it, without a copy.
   */
  #refuse(sessionId: string, head: Head, guard: DeletionGuard): Promise<never> {
    return this.#parts.operations.run('delete', sessionId, async () => {
      const { fencingToken = head.fence, expectedVersion = head.version } = guard
      if (fencingToken < head.fence) throw new FencedError(fencingToken, head.fence, { sessionId })
      throw new VersionMismatchError(expectedVersion, head.version, { sessionId })
    })
  }

  /** Returns the version of the copy that the deletion has to confirm; `undefined`: there is none. */
  async #prepareCopy(
    sessionId: string,
    operationId: string,
    earlier: FoundCopy | undefined,
    whole: SnapshotResult,
  ): Promise<number | undefined> {
    const { note, version, isPaired } = earlier ?? {}
    const isNothing = !whole.head.exists || this.#isUnfinished(sessionId, whole)
    // The session may be absent because another deletion of it has just ended; or be one that was never paired.
    const isCopyWorthMore = isNothing || (isPaired === true && isUnpaired(whole.fields))
    if (note !== undefined && version !== undefined && isCopyWorthMore) {
      if (await this.#isUpToDate('delete', sessionId, note)) {
        if (await this.#keep('delete', sessionId, note, version)) return undefined
        throw new VersionMismatchError(version, 0, { sessionId })
      }
      if (isNothing) await this.#copies.discard('delete', sessionId, note, version)
    }
    return isNothing ? undefined : this.#copies.write('delete', sessionId, operationId, earlier, whole)
  }

  async #restoreOnce(sessionId: string): Promise<CommitResult | null | Overtaken> {
    const { backend, rewinds, deleter, memory, metrics } = this.#parts
    const copy = await this.#copies.read('restore', sessionId)
    if (copy === undefined) return null
    if (copy.note === undefined) throw toDamage(sessionId)
    if (!(await this.#isUpToDate('restore', sessionId, copy.note))) return null
    const token = memory.token(sessionId)
    const found = await rewinds.read('restore', sessionId, () => backend.summarize(sessionId), token)
    if (!isReplaceable(found)) throw toConflict(sessionId, found.head)
    const { head, creds, fencingToken } = await rewinds.read('restore', sessionId, call =>
      backend.claim(sessionId, { call }),
    )
    if (!isReplaceable({ head, creds })) throw toConflict(sessionId, head)
    const overtaken = { overtakenAt: head.version }
    if (head.exists) {
      if (!(await this.#keep('restore', sessionId, copy.note, copy.version))) return overtaken
      const guard = { expectedVersion: head.version, fencingToken }
      await deleter.delete(sessionId, guard).catch(unlessOvertaken)
      return overtaken // the deletion has ended the claim as well
    }
    this.#checkCreds(sessionId, copy)
    const operationId = memory.operationIds.next()
    const { id } = copy.note
    const note = { id, state: 'restoring', version: head.version, operation: operationId } as const
    const noted = await this.#copies.note('restore', sessionId, note, copy.version)
    if (noted === undefined) return overtaken
    const commit = { writes: copy.fields, operationId, expectedVersion: 0, fencingToken }
    const writing = rewinds.write(
      'restore',
      sessionId,
      (seen, call) => backend.commit(sessionId, { ...commit, ...seen, call }),
      copy.fields.length,
    )
    const result = await writing.catch(unlessOvertaken)
    if (result === undefined) return overtaken
    rewinds.noteCommit(sessionId, result, copy.fields, fencingToken)
    metrics.count('sessions_restored')
    await this.#tidy(sessionId, () => this.#copies.discard('restore', sessionId, note, noted))
    return result
  }

  /** Throws if the creds of the copy cannot be read: nobody could open the session that was restored from it. */
  #checkCreds(sessionId: string, { fields }: WholeCopy): void {
    try {
      this.#parts.reader.decode(sessionId, fields.find(isCreds)?.bytes)
    } catch (error) {
      throw isSessionDamage(error) ? toDamage(sessionId, 'its creds cannot be read', error) : error
    }
  }

  /**
   * Notes of a copy that is up to date that it is so: after the next deletion of the session, nothing else would tell.
   * `false`: another one has replaced it.
   */
  async #keep(operation: string, sessionId: string, note: TrashNote, copyVersion: number): Promise<boolean> {
    if (note.state === 'deleted') return true
    const kept = { id: note.id, state: 'deleted', version: note.version } as const
    return (await this.#copies.note(operation, sessionId, kept, copyVersion)) !== undefined
  }

  /** What an import has left that did not end is no session: nobody wants it back. */
  #isUnfinished(sessionId: string, { fields }: SnapshotResult): boolean {
    try {
      this.#parts.reader.decode(sessionId, fields.find(isCreds)?.bytes)
      return false
    } catch (error) {
      return isUnfinishedImport(error)
    }
  }

  #isUpToDate(operation: string, sessionId: string, note: TrashNote): Promise<boolean> {
    const { backend, operations } = this.#parts
    const read = () => backend.readHistory(sessionId, [])
    return isUpToDate(note, () => operations.run(operation, sessionId, read))
  }

  /** `undefined`: only parts of the session are left, or it is damaged, or a later owner has it. */
  async #readWhole(sessionId: string): Promise<SnapshotResult | undefined> {
    const { backend, rewinds, memory } = this.#parts
    try {
      const read = () => backend.readAll(sessionId)
      return await rewinds.read('delete', sessionId, read, memory.token(sessionId))
    } catch (error) {
      if (isSessionDamage(error) || hasCode(error, 'FENCED')) return undefined
      throw error
    }
  }

  /** Takes the session from an owner that keeps writing. */
  async #takeOver(sessionId: string): Promise<void> {
    const { backend, operations } = this.#parts
    const claim = operations.run('claim', sessionId, call => backend.claim(sessionId, { call }))
    await claim.catch(() => {}) // a lease, or one of two databases is away: the next copy may be in time
  }

  /** What comes after a deletion or a restoration that is done: its failure is not theirs. */
  async #tidy(sessionId: string, action: () => Promise<unknown>): Promise<void> {
    await action().catch((error: Error) => {
      const about = { sessionId: maskSessionId(sessionId), error: error.message }
      this.#parts.logger.warn(about, 'the copy of a deleted session was not brought up to date')
    })
  }
}

/** Whether the session is at another version than the guard's, or a later owner has it. */
function isOther({ expectedVersion, fencingToken }: DeletionGuard, { version, fence }: Head): boolean {
  const hasMoved = expectedVersion !== undefined && expectedVersion !== version
  return hasMoved || (fencingToken !== undefined && fencingToken < fence)
}

function isUnpaired(fields: readonly StoredField[]): boolean {
  return readPairing(fields.find(isCreds)?.bytes) === false
}

function isCreds({ type }: StoredField): boolean {
  return type === CREDS_FIELD.type
}

/** There is no session, or one that was never paired. */
function isReplaceable({ head, creds }: Pick<Summary, 'head' | 'creds'>): boolean {
  return !head.exists || readPairing(creds) === false
}

/** Whether others have written or opened the session, or its copy, in between. */
function unlessOvertaken(error: unknown): undefined {
  if (!hasCode(error, 'FENCED') && !hasCode(error, 'VERSION_MISMATCH')) throw error
}

function toConflict(sessionId: string, { version }: Head): VersionMismatchError {
  return new VersionMismatchError(0, version, { sessionId }, ADVICE)
}
