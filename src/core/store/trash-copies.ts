import { type Backend, type Commit, CREDS_FIELD, type Head, type StoredField } from '../backend.js'
import { readPairing } from '../codec/envelope.js'
import { hasCode } from '../errors.js'
import { toTrashName } from '../names.js'
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
  /** The copy's own version. */
  version: number
}

export interface WholeCopy {
  note: TrashNote | undefined
  /** The fields of the session. */
  fields: readonly StoredField[]
}

/**
 * The copies of deleted sessions. Each is a session itself, of a name that no caller can give; its TTL ends it. Their
 * methods take the name of the session that was copied.
 */
export class TrashCopies {
  readonly #parts: TrashCopiesParts

  constructor(parts: TrashCopiesParts) {
    this.#parts = parts
  }

  async find(sessionId: string): Promise<FoundCopy | undefined> {
    const { backend, operations } = this.#parts
    const read = () => backend.read(toTrashName(sessionId), [NOTE_FIELD, CREDS_FIELD])
    const { head, values } = await operations.run('keep', sessionId, read)
    if (!head.exists) return undefined
    const [note, creds] = values
    return { note: decodeNote(note), isPaired: readPairing(creds), version: head.version }
  }

  /** Opens the copy first, as a session: a read alone may miss what one of two databases has not got yet. */
  async read(sessionId: string): Promise<WholeCopy | undefined> {
    const { backend, operations } = this.#parts
    const name = toTrashName(sessionId)
    const { head: claimed } = await operations.run('claim', sessionId, call => backend.claim(name, { call }))
    if (!claimed.exists) return undefined
    const { head, fields } = await operations.run('keep', sessionId, () => backend.readAll(name))
    if (!head.exists) return undefined
    const note = decodeNote(fields.find(isNote)?.bytes)
    return { note, fields: fields.filter(field => !isNote(field)) }
  }

  /** Copies the session at that head, in place of an earlier copy, known or not. Returns the copy's version. */
  async write(sessionId: string, head: Head, fields: readonly StoredField[]): Promise<number> {
    await this.remove(sessionId)
    const note = encodeNote({ state: 'copied', version: head.version + 1 })
    return this.#commit(sessionId, { writes: [...fields, { ...NOTE_FIELD, bytes: note }] })
  }

  /** `false`: there is no copy any more, or not at `expectedVersion`, its own version. */
  async note(sessionId: string, note: TrashNote, expectedVersion?: number): Promise<boolean> {
    const writes = [{ ...NOTE_FIELD, bytes: encodeNote(note) }]
    try {
      await this.#commit(sessionId, { writes, expectedVersion, needsSession: true })
      return true
    } catch (error) {
      if (hasCode(error, 'SESSION_INCOMPLETE') || hasCode(error, 'VERSION_MISMATCH')) return false
      throw error
    }
  }

  async remove(sessionId: string): Promise<void> {
    const { backend, operations, memory } = this.#parts
    const operationId = memory.operationIds.next()
    const remove = () => backend.delete(toTrashName(sessionId), { operationId })
    await operations.run('keep', sessionId, remove)
  }

  async #commit(sessionId: string, commit: Omit<Commit, 'operationId'>): Promise<number> {
    const { backend, operations, memory, keepMs } = this.#parts
    const name = toTrashName(sessionId)
    const operationId = memory.operationIds.next()
    const { version } = await operations.run('keep', sessionId, call =>
      backend.commit(name, { ...commit, operationId, call }),
    )
    await operations.run('keep', sessionId, () => backend.touch(name, keepMs))
    return version
  }
}

function isNote({ type }: StoredField): boolean {
  return type === NOTE_FIELD.type
}
