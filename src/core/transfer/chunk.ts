import type { AuthPatch } from '../auth-store.js'
import { APP_STATE_TYPE } from '../backend.js'
import { deepBufferRevive, serialize } from '../codec/buffers.js'
import type { SessionRecord } from './session-source.js'

/** A chunk with this many bytes takes no more values. */
const MAX_BYTES = 4 * 1024 * 1024

/** A value, and the text that it must have when it is read back. */
export interface Given {
  readonly value: unknown
  readonly text: string
}

/** Some values of a session that are written together. */
export class Chunk {
  readonly #maxValues: number
  /** By type and id. */
  readonly #keys = new Map<string, Map<string, Given>>()
  /** Other values of the session, by name. */
  readonly appState = new Map<string, Given>()
  size = 0
  #bytes = 0

  constructor(maxValues: number) {
    this.#maxValues = maxValues
  }

  get isFull(): boolean {
    return this.size >= this.#maxValues || this.#bytes >= MAX_BYTES
  }

  get keys(): ReadonlyMap<string, ReadonlyMap<string, Given>> {
    return this.#keys
  }

  get patch(): AuthPatch {
    const keys = Object.fromEntries([...this.#keys].map(([type, values]) => [type, toValues(values)]))
    return { keys, appState: toValues(this.appState) }
  }

  /** Returns the length of the value as text. */
  add({ type, id, value: given }: SessionRecord): number {
    const value = deepBufferRevive(given) // as it will be read back
    const text = serialize(value)
    this.#valuesOf(type).set(id, { value, text })
    this.#bytes += text.length
    this.size++
    return text.length
  }

  #valuesOf(type: string): Map<string, Given> {
    if (type === APP_STATE_TYPE) return this.appState
    const values = this.#keys.get(type) ?? new Map<string, Given>()
    this.#keys.set(type, values)
    return values
  }
}

function toValues(values: ReadonlyMap<string, Given>): Record<string, unknown> {
  return Object.fromEntries([...values].map(([id, { value }]) => [id, value]))
}
