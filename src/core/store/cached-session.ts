import type { Field } from '../auth-store.js'
import { CREDS_FIELD } from '../backend.js'
import { toOwnBytes } from '../bytes.js'
import type { Packed } from '../codec/packing.js'

/** `null`: the session has no such field. */
export type CachedValue = Packed | null

/** By name; those that are not used go as others need their place. */
export interface Entries {
  get(name: string): { readonly value: CachedValue } | undefined
  set(name: string, entry: { readonly value: CachedValue }): unknown
  delete(name: string): unknown
}

export interface ReadAnswer {
  /** Of the session, at the moment of the answer. */
  readonly version: number
  readonly values: readonly CachedValue[]
}

/** A write that has begun and not ended. */
export interface WriteUnderWay {
  readonly fields: readonly Field[]
  /** Writes that had failed before it began. */
  readonly failures: number
}

/**
 * What is cached of one session, from one claim to the next. What it holds is the state of the session at the highest
 * version that has been seen; what may differ from that is not held.
 */
export class CachedSession {
  readonly fencingToken: number
  readonly #entries: Entries
  readonly #name: string
  /** Entries from before a reset are never found again. */
  #resets = 0
  #highest: number
  /** The writes of this process that have ended are counted from this version on. */
  #since: number
  #ended = 0
  readonly #underWay = new Set<WriteUnderWay>()
  #failures = 0
  /** Failures that no longer matter: a write that began after them has succeeded. */
  #overcome = 0

  /** `name` is that of no other session, nor of this one under another owner. */
  constructor(entries: Entries, name: string, fencingToken: number, version: number) {
    this.fencingToken = fencingToken
    this.#entries = entries
    this.#name = name
    this.#highest = version
    this.#since = version
  }

  /** Calls `read` for what is not held. All that is returned is of one moment. */
  async readThrough(
    fields: readonly Field[],
    read: (missing: readonly Field[]) => Promise<ReadAnswer>,
  ): Promise<readonly CachedValue[]> {
    const held = this.#find(fields)
    const missing = fields.filter((_, i) => held[i] === undefined)
    if (missing.length === 0) return held as CachedValue[]
    const answer = await this.#ask(missing, read)
    if (missing.length === fields.length) return answer.values
    if (answer.version === this.#highest) {
      const whole = this.#find(fields)
      if (!whole.includes(undefined)) return whole as CachedValue[]
    }
    return (await this.#ask(fields, read)).values
  }

  beginWrite(fields: readonly Field[]): WriteUnderWay {
    const write = { fields, failures: this.#failures }
    this.#underWay.add(write)
    return write
  }

  endWrite(write: WriteUnderWay, version: number, values: readonly CachedValue[]): void {
    this.#overcome = Math.max(this.#overcome, write.failures)
    this.notice(version)
    this.#underWay.delete(write)
    if (version > this.#since) this.#ended++
    if (this.#underWay.size === 0 && !this.#isExplained) this.reset(this.#highest)
    for (const [i, field] of write.fields.entries()) this.#hold(version, field, values[i] ?? null)
  }

  /** It may have been carried out, or be carried out later: until another has succeeded, nothing is held. */
  failWrite(write: WriteUnderWay): void {
    this.#underWay.delete(write)
    this.#failures++
    this.reset(this.#highest)
  }

  /** The session has been seen at this version. */
  notice(version: number): void {
    if (version <= this.#highest) return
    // A version that no write of this process can have taken was taken by another.
    if (version - this.#since > this.#ended + this.#underWay.size) this.reset(version)
    this.#highest = version
    for (const { fields } of this.#underWay) for (const field of fields) this.#drop(field)
  }

  /** Nothing that is held is believed any more. */
  reset(version: number): void {
    this.#resets++
    this.#highest = Math.max(this.#highest, version)
    this.#since = this.#highest
    this.#ended = 0
  }

  /** An answer to a question from before a reset is not held: it may be from before what led to that. */
  async #ask(
    fields: readonly Field[],
    read: (missing: readonly Field[]) => Promise<ReadAnswer>,
  ): Promise<ReadAnswer> {
    const resets = this.#resets
    const answer = await read(fields)
    const isSince = resets === this.#resets
    this.notice(answer.version)
    if (isSince) {
      for (const [i, field] of fields.entries()) this.#hold(answer.version, field, answer.values[i] ?? null)
    }
    return answer
  }

  /** Whether every version that has been seen is that of a write of this process: else the next may be another's. */
  get #isExplained(): boolean {
    return this.#highest - this.#since <= this.#ended
  }

  #find(fields: readonly Field[]): (CachedValue | undefined)[] {
    if (!this.#isExplained) return fields.map(() => undefined)
    return fields.map(field => this.#entries.get(this.#nameOf(field))?.value)
  }

  /** Unless it is from before something else that was seen. */
  #hold(version: number, field: Field, value: CachedValue): void {
    if (field.type === CREDS_FIELD.type) return // read once, by the claim
    if (version < this.#highest || this.#failures > this.#overcome) this.#drop(field)
    else
      this.#entries.set(this.#nameOf(field), { value: value && { ...value, bytes: toOwnBytes(value.bytes) } })
  }

  #drop(field: Field): void {
    this.#entries.delete(this.#nameOf(field))
  }

  #nameOf({ type, id }: Field): string {
    return `${this.#name}\0${this.#resets}\0${type}:${id}`
  }
}
