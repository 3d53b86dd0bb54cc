import type { AuthPatch } from '../auth-store.js'
import { APP_STATE_TYPE } from '../backend.js'
import { serialize } from '../codec/buffers.js'
import type { SessionRecord } from './session-source.js'

/** A chunk with as many bytes takes no more values. */
const MAX_BYTES = 4 * 1024 * 1024

/** Some values of a session that are written together. */
export class Chunk {
  readonly #types = new Map<string, Map<string, unknown>>()
  size = 0
  #bytes = 0

  readonly #maxValues: number

  constructor(maxValues: number) {
    this.#maxValues = maxValues
  }

  get isFull(): boolean {
    return this.size >= this.#maxValues || this.#bytes >= MAX_BYTES
  }

  /** Returns the length of the value as text. */
  add({ type, id, value }: SessionRecord): number {
    const values = this.#types.get(type) ?? new Map<string, unknown>()
    values.set(id, value)
    this.#types.set(type, values)
    const { length } = serialize(value)
    this.#bytes += length
    this.size++
    return length
  }

  /** Of the keys; other values of the session are not among them. */
  get keys(): ReadonlyMap<string, ReadonlyMap<string, unknown>> {
    return new Map([...this.#types].filter(([type]) => type !== APP_STATE_TYPE))
  }

  get appState(): ReadonlyMap<string, unknown> {
    return this.#types.get(APP_STATE_TYPE) ?? new Map()
  }

  get patch(): AuthPatch {
    const keys = Object.fromEntries(
      [...this.keys].map(([type, values]) => [type, Object.fromEntries(values)]),
    )
    return { keys, appState: Object.fromEntries(this.appState) }
  }
}
