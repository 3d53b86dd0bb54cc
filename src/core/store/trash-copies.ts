import type { Field } from '../auth-store.js'
import { type Backend, type Commit, CREDS_FIELD, type SnapshotResult, type StoredField } from '../backend.js'
import { readPairing } from '../codec/envelope.js'
import { hasCode } from '../errors.js'
import { toTrashName } from '../names.js'
import type { Call } from '../retry.js'
import type { Operations } from './operations.js'
import type { SessionMemory } from './session-memory.js'
import { decodeNote, encodeNote, NOTE_FIELD, type TrashNote } from './trash-note.js'

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
 * The copies of deleted sessions. Each is a session itself, of a name that no caller can give; its TTL ends it. A change
 * names the version of the copy that it follows, since others may delete or restore the session at the same time. The
 * methods take the name of the session that was copied. `operation`: see `Operations`.
 */
export class TrashCopies {
  readonly #parts: TrashCopiesParts

  constructor(parts: TrashCopiesParts) {
    this.#parts = parts
  }

  async find(operation: string, sessionId: string): Promise<FoundCopy | undefined> {
    const { backend, operations } = this.#parts
    const read = () => backend.read(toTrashName(sessionId), [NOTE_FIELD, CREDS_FIELD])
    try {
      const { head, values } = await operations.run(operation, sessionId, read)
      if (!head.exists) return undefined
      const [note, creds] = values
      return { note: decodeNote(note), isPaired: readPairing(creds), version: head.version }
    } catch (error) {
      if (hasCode(error, 'CORRUPT_VALUE') || hasCode(error, 'SESSION_INCOMPLETE')) return UNREADABLE
      throw error
    }
  }

  /** Opens the copy first, as a session: a read alone may miss what one of two databases has not got yet. */
  async read(operation: string, sessionId: string): Promise<WholeCopy | undefined> {
    const { backend, operations } = this.#parts
    const name = toTrashName(sessionId)
    const claiming = operations.run(operation, sessionId, call => backend.claim(name, { call }))
    if (!(await claiming).head.exists) return undefined
    const { head, fields } = await operations.run(operation, sessionId, () => backend.readAll(name))
    if (!head.exists) return undefined
    const note = decodeNote(fields.find(isNote)?.bytes)
    return { note, version: head.version, fields: fields.filter(field => !isNote(field)) }
  }

  /**
   * Copies the session in place of the earlier copy. Returns the copy's version. Throws `VERSION_MISMATCH` if the earlier
   * copy is another one by now.
   */
  async write(
    operation: string,
    sessionId: string,
    earlier: FoundCopy | undefined,
    { head, fields }: SnapshotResult,
  ): Promise<number> {
    const { version: earlierVersion } = earlier ?? { version: 0 }
    if (earlierVersion === undefined) await this.remove(operation, sessionId)
    const note = { state: 'copied', version: head.version + 1, incarnation: head.incarnation } as const
    const writes = [...fields, { ...NOTE_FIELD, bytes: encodeNote(note) }]
    const stale = earlierVersion ? await this.#findStale(operation, sessionId, writes) : []
    return this.#commit(operation, sessionId, {
      writes: [...writes, ...stale.map(field => ({ ...field, bytes: null }))],
      expectedVersion: earlierVersion ?? 0,
    })
  }

  /** Returns the copy's new version; `undefined`: the copy of that version is gone, or another one has replaced it. */
  async note(
    operation: string,
    sessionId: string,
    note: TrashNote,
    expectedVersion: number,
  ): Promise<number | undefined> {
    const writes = [{ ...NOTE_FIELD, bytes: encodeNote(note) }]
    try {
      return await this.#commit(operation, sessionId, { writes, expectedVersion, needsSession: true })
    } catch (error) {
      if (hasCode(error, 'SESSION_INCOMPLETE') || hasCode(error, 'VERSION_MISMATCH')) return undefined
      throw error
    }
  }

  /** `expectedVersion`: leaves another copy alone. Default: removes any. */
  async remove(operation: string, sessionId: string, expectedVersion?: number): Promise<void> {
    const { backend, operations, memory } = this.#parts
    const deletion = { operationId: memory.operationIds.next(), expectedVersion }
    const remove = (call: Call) => backend.delete(toTrashName(sessionId), { ...deletion, call })
    await operations.run(operation, sessionId, remove).catch(error => {
      if (!hasCode(error, 'VERSION_MISMATCH')) throw error
    })
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
    const { backend, operations, memory, keepMs } = this.#parts
    const name = toTrashName(sessionId)
    const operationId = memory.operationIds.next()
    const { version } = await operations.run(operation, sessionId, call =>
      backend.commit(name, { ...commit, operationId, call }),
    )
    await operations.run(operation, sessionId, () => backend.touch(name, keepMs))
    return version
  }
}

function isNote({ type }: Field): boolean {
  return type === NOTE_FIELD.type
}

function nameOf({ type, id }: Field): string {
  return `${type} ${id}`
}
