import type { Field } from '../auth-store.js'
import { type Backend, type Commit, CREDS_FIELD, type SnapshotResult, type StoredField } from '../backend.js'
import { readPairing } from '../codec/envelope.js'
import { hasCode } from '../errors.js'
import { toTrashName } from '../names.js'
import type { Operations } from './operations.js'
import { isSessionDamage } from './session-damage.js'
import type { SessionMemory } from './session-memory.js'
import { decodeNote, encodeNote, NOTE_FIELD, type TrashNote, toDamage } from './trash-note.js'

export interface TrashCopiesParts {
  backend: Backend
  operations: Operations
  memory: SessionMemory
  /** How long a copy lives, in ms; `null`: for ever. */
  keepMs: number | null
}

export interface FoundCopy {
  /** `undefined`: damaged. */
  note: TrashNote | undefined
  isPaired: boolean | undefined
  /** The copy's own version; `undefined`: it cannot be read. */
  version: number | undefined
}

export interface WholeCopy {
  note: TrashNote | undefined
  version: number
  /** The fields of the session. */
  fields: readonly StoredField[]
}

const UNREADABLE: FoundCopy = { note: undefined, isPaired: undefined, version: undefined }

/**
 * The copies of deleted sessions. Each is a session itself, of a name that no caller can give, and expires. A change
 * names the version of the copy that it follows, since others may delete or restore the session at the same time. The
 * methods take the name of the session that was copied. `operation`: see `Operations`.
 */
export class TrashCopies {
  readonly #parts: TrashCopiesParts

  constructor(parts: TrashCopiesParts) {
    this.#parts = parts
  }

  /** Of a hybrid store, this may be what only one of the databases knows. */
  find(operation: string, sessionId: string): Promise<FoundCopy | undefined> {
    return this.#find(operation, sessionId).catch(orUnreadable)
  }

  /** As `find`, after an opening: both databases of a hybrid store know what it finds. */
  open(operation: string, sessionId: string): Promise<FoundCopy | undefined> {
    const finding = this.#claim(operation, sessionId).then(exists =>
      exists ? this.#find(operation, sessionId) : undefined,
    )
    return finding.catch(orUnreadable)
  }

  /** As `open`, with all fields. Throws `CORRUPT_VALUE` if the copy cannot be read. */
  read(operation: string, sessionId: string): Promise<WholeCopy | undefined> {
    return this.#read(operation, sessionId).catch(error => {
      throw isSessionDamage(error) ? toDamage(sessionId, 'it cannot be read', error) : error
    })
  }

  async #read(operation: string, sessionId: string): Promise<WholeCopy | undefined> {
    const { backend, operations } = this.#parts
    if (!(await this.#claim(operation, sessionId))) return undefined
    const { head, fields } = await operations.run(operation, sessionId, () =>
      backend.readAll(toTrashName(sessionId)),
    )
    if (!head.exists) return undefined
    const note = decodeNote(fields.find(isNote)?.bytes)
    return { note, version: head.version, fields: fields.filter(field => !isNote(field)) }
  }

  /**
   * Copies the session in place of the earlier copy. Returns the copy's version. Throws `VERSION_MISMATCH` if the earlier
   * copy is another one by now. `id`: see `TrashNote`.
   */
  async write(
    operation: string,
    sessionId: string,
    id: string,
    earlier: FoundCopy | undefined,
    { head, fields }: SnapshotResult,
  ): Promise<number> {
    const { version: earlierVersion } = earlier ?? { version: 0 }
    if (earlierVersion === undefined) await this.remove(operation, sessionId)
    const note = { id, state: 'copied', version: head.version + 1, incarnation: head.incarnation } as const
    const writes = [...fields, { ...NOTE_FIELD, bytes: encodeNote(note) }]
    const stale = earlierVersion ? await this.#findStale(operation, sessionId, writes) : []
    return this.#commit(operation, sessionId, {
      writes: [...writes, ...stale.map(field => ({ ...field, bytes: null }))],
      expectedVersion: earlierVersion ?? 0,
      lifeMs: this.#parts.keepMs,
    })
  }

  /**
   * Replaces the note of the copy that `note` names, if it is still there, at `version` or later. Returns its new version,
   * else `undefined`.
   */
  note(operation: string, sessionId: string, note: TrashNote, version: number): Promise<number | undefined> {
    const writes = [{ ...NOTE_FIELD, bytes: encodeNote(note) }]
    return this.#change(operation, sessionId, note, version, expectedVersion =>
      this.#commit(operation, sessionId, { writes, expectedVersion, needsSession: true, lifeMs: 'kept' }),
    )
  }

  /** Removes the copy that `note` names, if it is still there, at `version` or later. */
  async discard(operation: string, sessionId: string, note: TrashNote, version: number): Promise<void> {
    await this.#change(operation, sessionId, note, version, expectedVersion =>
      this.remove(operation, sessionId, expectedVersion),
    )
  }

  /** Removes any copy. `expectedVersion`: throws `VERSION_MISMATCH` for one at another version. Returns that of its end. */
  async remove(operation: string, sessionId: string, expectedVersion?: number): Promise<number> {
    const { backend, operations, memory } = this.#parts
    const deletion = { operationId: memory.operationIds.next(), expectedVersion }
    const { version } = await operations.run(operation, sessionId, call =>
      backend.delete(toTrashName(sessionId), { ...deletion, call }),
    )
    return version
  }

  async #find(operation: string, sessionId: string): Promise<FoundCopy | undefined> {
    const { backend, operations } = this.#parts
    const read = () => backend.read(toTrashName(sessionId), [NOTE_FIELD, CREDS_FIELD])
    const { head, values } = await operations.run(operation, sessionId, read)
    if (!head.exists) return undefined
    const [note, creds] = values
    return { note: decodeNote(note), isPaired: readPairing(creds), version: head.version }
  }

  /** Opens the copy as a session is opened. `false`: there is none. */
  async #claim(operation: string, sessionId: string): Promise<boolean> {
    const { backend, operations } = this.#parts
    const name = toTrashName(sessionId)
    const { head } = await operations.run(operation, sessionId, call =>
      backend.claim(name, { keepsLife: true, call }),
    )
    return head.exists
  }

  /**
   * `undefined`: the copy is gone, or another one has replaced it. A hybrid store may raise a version by itself, so a copy
   * that bears the same name is the same one.
   */
  async #change(
    operation: string,
    sessionId: string,
    { id }: TrashNote,
    version: number,
    change: (expectedVersion: number) => Promise<number>,
  ): Promise<number | undefined> {
    const changed = await change(version).catch(unlessGone)
    if (changed !== undefined) return changed
    const found = await this.find(operation, sessionId)
    if (found?.note?.id !== id || found.version === undefined) return undefined
    return change(found.version).catch(unlessGone)
  }

  /** The fields of the earlier copy that the writes do not replace. */
  async #findStale(operation: string, sessionId: string, writes: readonly Field[]): Promise<Field[]> {
    const { backend, operations } = this.#parts
    const list = () => backend.listFields(toTrashName(sessionId), undefined)
    const found = await operations.run(operation, sessionId, list)
    const replaced = new Set(writes.map(nameOf))
    return found.filter(field => !replaced.has(nameOf(field)))
  }

  async #commit(operation: string, sessionId: string, commit: Omit<Commit, 'operationId'>): Promise<number> {
    const { backend, operations, memory } = this.#parts
    const operationId = memory.operationIds.next()
    const { version } = await operations.run(
      operation,
      sessionId,
      call => backend.commit(toTrashName(sessionId), { ...commit, operationId, call }),
      commit.writes.length,
    )
    return version
  }
}

function orUnreadable(error: unknown): FoundCopy {
  if (isSessionDamage(error)) return UNREADABLE
  throw error
}

/** The copy is not there, or at another version. */
function unlessGone(error: unknown): undefined {
  if (!hasCode(error, 'SESSION_INCOMPLETE') && !hasCode(error, 'VERSION_MISMATCH')) throw error
}

function isNote({ type }: Field): boolean {
  return type === NOTE_FIELD.type
}

function nameOf({ type, id }: Field): string {
  return `${type} ${id}`
}
