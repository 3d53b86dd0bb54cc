import type { DeletionResult, SessionInfo } from '../auth-store.js'
import type { Backend, CommitResult, Head, Summary } from '../backend.js'
import { readPairing } from '../codec/envelope.js'
import { FencedError, hasCode, VersionMismatchError } from '../errors.js'
import type { Logger } from '../logger.js'
import { maskSessionId } from '../masking.js'
import type { Metrics } from '../metrics.js'
import { toTrashName } from '../names.js'
import { type Copier, isCreds } from './copier.js'
import type { CredsReader } from './creds-reader.js'
import type { Deleter, DeletionGuard } from './deleter.js'
import type { Operations } from './operations.js'
import type { RewindGuard } from './rewind-guard.js'
import { isSessionDamage, unlessDamaged } from './session-damage.js'
import type { SessionMemory } from './session-memory.js'
import type { TrashCopies, WholeCopy } from './trash-copies.js'
import { decodeNote, isUpToDate, NOTE_FIELD, toDamage, toPurge } from './trash-note.js'

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
  copier: Copier
  memory: SessionMemory
  metrics: Metrics
  logger: Logger
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
    this.#copies = parts.copier.copies
  }

  async delete(sessionId: string, guard: DeletionGuard): Promise<DeletionResult> {
    const { deleter, copier, logger } = this.#parts
    if (!copier.keepsCopies) return deleter.delete(sessionId, guard, { copy: 'leave' })
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
    return deleter.delete(sessionId, guard, { copy: 'make' })
  }

  /**
   * `null`: there is nothing to restore. Throws `VERSION_MISMATCH` if there is a session that may be paired, and
   * `SESSION_LOCKED` if there is an owner with a lease.
   */
  async restore(sessionId: string): Promise<CommitResult | null> {
    const { backend, rewinds } = this.#parts
    await rewinds.read('restore', sessionId, () => backend.summarize(sessionId)) // if the database has lost the deletion
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
    const operationId = toPurge(memory.operationIds.next())
    await this.#copies.remove('purge', sessionId)
    const deleted = await deleter.delete(sessionId, {}, { copy: 'remove', operationId })
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
    const { backend, rewinds, deleter, copier, memory } = this.#parts
    const earlier = await this.#copies.open('delete', sessionId) // before the session: see `TrashCopies.write`
    const whole = await unlessDamaged(rewinds.read('delete', sessionId, () => backend.readAll(sessionId)))
    if (whole === undefined) return deleter.delete(sessionId, guard, { copy: 'make' })
    const { head } = whole
    if (isOther(guard, head)) {
      return head.exists
        ? this.#refuse(sessionId, head, guard)
        : deleter.delete(sessionId, guard, { copy: 'make' })
    }
    const operationId = memory.operationIds.next()
    const terms = { copy: 'make', operationId, fields: whole.fields.length } as const
    return copier.delete('delete', sessionId, { operationId, earlier, whole }, expectedVersion =>
      deleter.delete(sessionId, { ...guard, expectedVersion }, terms),
    )
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

  async #restoreOnce(sessionId: string): Promise<CommitResult | null | Overtaken> {
    const { backend, rewinds, deleter, copier, memory, metrics } = this.#parts
    const copy = await this.#copies.read('restore', sessionId)
    if (copy === undefined) return null
    if (copy.note === undefined) throw toDamage(sessionId)
    if (!(await copier.isUpToDate('restore', sessionId, copy.note))) return null
    const token = memory.token(sessionId)
    const found = await rewinds.read('restore', sessionId, () => backend.summarize(sessionId), token)
    if (!isReplaceable(found)) throw toConflict(sessionId, found.head)
    const { head, creds, fencingToken } = await rewinds.read('restore', sessionId, call =>
      backend.claim(sessionId, { call }),
    )
    if (!isReplaceable({ head, creds })) throw toConflict(sessionId, head)
    const overtaken = { overtakenAt: head.version }
    if (head.exists) {
      if (!(await copier.keep('restore', sessionId, copy.note, copy.version))) return overtaken
      const guard = { expectedVersion: head.version, fencingToken }
      await deleter.delete(sessionId, guard, { copy: 'leave' }).catch(unlessOvertaken)
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
    await copier.tidy(sessionId, () => this.#copies.discard('restore', sessionId, note, noted))
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

  /** Takes the session from an owner that keeps writing. */
  async #takeOver(sessionId: string): Promise<void> {
    const { backend, operations } = this.#parts
    const claim = operations.run('claim', sessionId, call => backend.claim(sessionId, { call }))
    await claim.catch(() => {}) // a lease, or one of two databases is away: the next copy may be in time
  }
}

/** Whether the session is at another version than the guard's, or a later owner has it. */
function isOther({ expectedVersion, fencingToken }: DeletionGuard, { version, fence }: Head): boolean {
  const hasMoved = expectedVersion !== undefined && expectedVersion !== version
  return hasMoved || (fencingToken !== undefined && fencingToken < fence)
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
