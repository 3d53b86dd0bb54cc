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
import { hasCode, VersionMismatchError } from '../errors.js'
import type { Logger } from '../logger.js'
import { maskSessionId } from '../masking.js'
import type { Metrics } from '../metrics.js'
import { toTrashName } from '../names.js'
import type { Deleter, DeletionGuard } from './deleter.js'
import type { Operations } from './operations.js'
import type { RewindGuard } from './rewind-guard.js'
import type { SessionMemory } from './session-memory.js'
import { TrashCopies } from './trash-copies.js'
import { decodeNote, isUpToDate, NOTE_FIELD, toDamage } from './trash-note.js'

/** Most copies of one deletion; the session's owner may write between a copy and the deletion. */
const MAX_COPIES = 10
/** After this many copies, the deletion takes the session from its owner, whose next write is refused. */
const PATIENT_COPIES = 3
const ADVICE =
  'To restore the deleted one, first remove the other by store.delete or, for good, by store.purge.'

export interface TrashParts {
  backend: Backend
  operations: Operations
  rewinds: RewindGuard
  deleter: Deleter
  memory: SessionMemory
  metrics: Metrics
  logger: Logger
  /** How long a deleted session can be restored, in ms. `null`: for ever; 0: not at all. */
  keepMs: number | null
}

interface Copy {
  /** The version of the session that was copied. */
  of: number
  /** The copy's own version. */
  version: number
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
    for (let copies = 1; copies <= MAX_COPIES; copies++) {
      const copy = await this.#copy(sessionId, guard)
      if (copy === undefined) return deleter.delete(sessionId, guard)
      try {
        const deleted = await deleter.delete(sessionId, { ...guard, expectedVersion: copy.of })
        await this.#confirm(sessionId, deleted.version, copy.version)
        return deleted
      } catch (error) {
        if (!hasCode(error, 'VERSION_MISMATCH') || guard.expectedVersion !== undefined) throw error
      }
      if (copies >= PATIENT_COPIES && guard.fencingToken === undefined) await this.#takeOver(sessionId)
    }
    const about = { sessionId: maskSessionId(sessionId), copies: MAX_COPIES }
    logger.warn(about, 'a session was written all the time while it was deleted: it cannot be restored')
    await this.#copies.remove(sessionId)
    return deleter.delete(sessionId, guard)
  }

  /**
   * `null`: there is nothing to restore. Throws `VERSION_MISMATCH` if there is a session that may be paired. Takes the
   * session first: an owner that has opened it since the deletion must not write another identity over the restored one.
   */
  async restore(sessionId: string): Promise<CommitResult | null> {
    const { backend, rewinds, deleter, memory, metrics } = this.#parts
    const copy = await this.#copies.read(sessionId)
    if (copy === undefined) return null
    if (copy.note === undefined) throw toDamage(sessionId)
    const summarize = () => backend.summarize(sessionId)
    const found = await rewinds.read('describe', sessionId, summarize, memory.token(sessionId))
    if (!isUpToDate(copy.note, found.head)) return null
    if (!isReplaceable(found)) throw toConflict(sessionId, found.head)
    if (found.head.exists) await deleter.delete(sessionId, { expectedVersion: found.head.version })
    const { head, fencingToken } = await rewinds.read('claim', sessionId, call =>
      backend.claim(sessionId, { call }),
    )
    if (head.exists) throw toConflict(sessionId, head)
    if (!isUpToDate(copy.note, head)) return null
    const note = { state: 'restoring', version: head.version } as const
    if (!(await this.#copies.note(sessionId, note))) return null
    const operationId = memory.operationIds.next()
    const commit = { writes: copy.fields, operationId, expectedVersion: 0, fencingToken }
    const result = await rewinds.write('restore', sessionId, (seen, call) =>
      backend.commit(sessionId, { ...commit, ...seen, call }),
    )
    rewinds.noteCommit(sessionId, result, copy.fields, fencingToken)
    metrics.count('sessions_restored')
    await this.#tidy(sessionId, () => this.#copies.remove(sessionId))
    return result
  }

  /** Removes the session and its copy for good. */
  async purge(sessionId: string): Promise<DeletionResult> {
    await this.#copies.remove(sessionId)
    return this.#parts.deleter.delete(sessionId)
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
    if (!isReplaceable(present) || !isUpToDate(note, present.head)) return null
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

  /**
   * `undefined`: there is nothing to copy, or the deletion will be refused, or the earlier copy is worth more than a session
   * that has never been paired.
   */
  async #copy(sessionId: string, guard: DeletionGuard): Promise<Copy | undefined> {
    const whole = await this.#readWhole(sessionId)
    if (whole === undefined) return undefined
    const { head, fields } = whole
    const { expectedVersion = head.version, fencingToken = head.fence } = guard
    if (expectedVersion !== head.version || fencingToken < head.fence) return undefined
    const earlier = await this.#copies.find(sessionId)
    if (!head.exists) {
      const isForgotten = earlier?.note?.state === 'copied' && isUpToDate(earlier.note, head)
      if (isForgotten) await this.#confirm(sessionId, head.version, earlier.version)
      return undefined
    }
    if (earlier?.note?.state === 'deleted' && earlier.isPaired && isUnpaired(fields)) return undefined
    const version = await this.#copies.write(sessionId, head, fields)
    return { of: head.version, version }
  }

  /** `undefined`: only parts of the session are left, or it is damaged, or a later owner has it. */
  async #readWhole(sessionId: string): Promise<SnapshotResult | undefined> {
    const { backend, rewinds, memory } = this.#parts
    try {
      const read = () => backend.readAll(sessionId)
      return await rewinds.read('keep', sessionId, read, memory.token(sessionId))
    } catch (error) {
      const isBeyondKeeping = ['CORRUPT_VALUE', 'SESSION_INCOMPLETE', 'FENCED'] as const
      if (isBeyondKeeping.some(code => hasCode(error, code))) return undefined
      throw error
    }
  }

  /** `copyVersion`: the copy's. Another deletion of the session may have replaced it, and will confirm its own. */
  async #confirm(sessionId: string, version: number, copyVersion: number): Promise<void> {
    const note = { state: 'deleted', version } as const
    await this.#tidy(sessionId, () => this.#copies.note(sessionId, note, copyVersion))
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

function isUnpaired(fields: readonly StoredField[]): boolean {
  const creds = fields.find(({ type }) => type === CREDS_FIELD.type)
  return readPairing(creds?.bytes) === false
}

/** There is no session, or one that was never paired. */
function isReplaceable({ head, creds }: Summary): boolean {
  return !head.exists || readPairing(creds) === false
}

function toConflict(sessionId: string, { version }: Head): VersionMismatchError {
  return new VersionMismatchError(0, version, { sessionId }, ADVICE)
}
