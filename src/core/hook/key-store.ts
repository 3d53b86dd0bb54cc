import type { Field, KeysByType } from '../auth-store.js'
import { hasCode, InvalidValueError, type StoreErrorCode, StoreUnavailableError } from '../errors.js'
import { readGiven } from '../input/read-given.js'
import { isTable } from '../is-object.js'
import { checkKeyType } from '../names.js'
import { readIds } from '../store/arguments.js'
import type { SignalDataSet, SignalKeyStore } from './auth-types.js'
import { toRemoval } from './removal.js'

/** Keys read at once while iterating. */
const PAGE_SIZE = 200
/** Baileys writes an id right after a failed read of it, so far fewer are pending. */
const MAX_UNREAD = 10_000
/** Errors of one value among several, not of the store. */
const DAMAGES: readonly StoreErrorCode[] = ['CORRUPT_VALUE', 'DECRYPTION_FAILED', 'UNSUPPORTED_FORMAT']

export interface KeyStoreOptions {
  sessionId: string
  /** `read`, `list` and `write` act as the owner of the session. */
  read: (type: string, ids: readonly string[]) => Promise<Record<string, unknown>>
  list: (type?: string) => Promise<Field[]>
  write: (keys: KeysByType) => Promise<unknown>
  /** Turns a stored value into what Baileys expects of the type. */
  revive: (type: string, value: unknown) => unknown
  /** Throws if the auth state is closed. */
  assertOpen: () => void
}

/**
 * Baileys' `SignalKeyStore` over a store.
 *
 * Unread guard: Baileys takes a failed `get` for "no such session" and then writes a new one over the old. So this
 * store refuses a write of an id whose last read has failed. If a read of several ids finds a damaged value, the other
 * ids stay writable.
 */
export function createKeyStore({
  sessionId,
  read,
  list: listFields,
  write,
  revive,
  assertOpen,
}: KeyStoreOptions): SignalKeyStore {
  const unread = new UnreadIds()
  const nameOf = (type: string, id: string): string => `${type}:${id}`

  async function get(type: string, given: string[]): Promise<Record<string, unknown>> {
    assertOpen()
    checkKeyType(type, sessionId)
    const ids = readIds(given, type, sessionId)
    try {
      return await readRevived(type, ids)
    } catch (error) {
      await noteUnread(type, ids, error)
      throw error
    }
  }

  async function readRevived(type: string, ids: readonly string[]): Promise<Record<string, unknown>> {
    const found = await read(type, ids)
    for (const id of Object.keys(found)) found[id] = revive(type, found[id])
    for (const id of ids) unread.delete(nameOf(type, id))
    return found
  }

  /** Reads halves of the ids again, until only the damaged values are unread. */
  async function noteUnread(type: string, ids: readonly string[], error: unknown): Promise<void> {
    for (const id of ids) unread.add(nameOf(type, id), error)
    if (ids.length < 2 || !isOneOf(DAMAGES, error)) return
    const middle = ids.length >> 1
    for (const half of [ids.slice(0, middle), ids.slice(middle)]) {
      await readRevived(type, half).catch(cause => noteUnread(type, half, cause))
    }
  }

  function assertRead(data: KeysByType): void {
    if (unread.size === 0) return
    for (const [type, values] of Object.entries(data)) {
      for (const id of Object.keys(values ?? {})) {
        const cause = unread.causeOf(nameOf(type, id))
        if (cause === undefined) continue
        // Damage does not pass by itself: its own error says what to do.
        if (isOneOf(DAMAGES, cause)) throw cause
        throw new StoreUnavailableError('The store', UNREAD, { sessionId, cause })
      }
    }
  }

  async function set(data: KeysByType): Promise<void> {
    assertOpen()
    const isEmpty = readGiven(
      () => {
        if (!isTable(data)) throw new InvalidValueError('Keys must be an object of types.', { sessionId })
        assertRead(data)
        return Object.values(data).every(values => values === undefined || isEmptyObject(values))
      },
      cause =>
        new InvalidValueError('A key throws when it is read; nothing was written.', { sessionId, cause }),
    )
    if (!isEmpty) await write(data)
  }

  async function clear(): Promise<void> {
    assertOpen()
    const fields = await listFields()
    if (fields.length > 0) await write(toRemoval(fields))
    unread.clear()
  }

  async function* listIds(type: string): AsyncIterable<string> {
    assertOpen()
    for (const { id } of await listFields(type)) yield id
  }

  async function* list(type: string): AsyncIterable<[string, unknown]> {
    assertOpen()
    const fields = await listFields(type)
    for (let from = 0; from < fields.length; from += PAGE_SIZE) {
      const ids = fields.slice(from, from + PAGE_SIZE).map(field => field.id)
      yield* Object.entries(await get(type, ids))
    }
  }

  return { get, set: (data: SignalDataSet) => set(data), clear, list, listIds } as SignalKeyStore
}

/** Other values are left to the store to refuse. */
function isEmptyObject(values: unknown): boolean {
  return isTable(values) && Object.keys(values).length === 0
}

function isOneOf(codes: readonly StoreErrorCode[], error: unknown): boolean {
  return codes.some(code => hasCode(error, code))
}

/** The latest names whose last read has failed; a limit keeps an outage from filling the memory. */
class UnreadIds {
  readonly #causes = new Map<string, unknown>()

  get size(): number {
    return this.#causes.size
  }

  /** The error of the last read of this name. */
  causeOf(name: string): unknown {
    return this.#causes.get(name)
  }

  add(name: string, cause: unknown): void {
    this.#causes.delete(name)
    this.#causes.set(name, cause)
    const [oldest] = this.#causes.keys()
    if (this.#causes.size > MAX_UNREAD && oldest !== undefined) this.#causes.delete(oldest)
  }

  delete(name: string): void {
    this.#causes.delete(name)
  }

  clear(): void {
    this.#causes.clear()
  }
}

const UNREAD =
  'the last read of a key in this write has failed, and writing it now could replace a live Signal session. ' +
  'Nothing was written; it will be accepted after a read has succeeded.'
