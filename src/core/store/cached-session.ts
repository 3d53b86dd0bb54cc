import type { Field } from '../auth-store.js'
import { CREDS_FIELD } from '../backend.js'
import { toOwnBytes } from '../bytes.js'
import type { Packed } from '../codec/packing.js'

/** `null`: the session has no such field. */
export type CachedValue = Packed | null

/** Entries by name; the least recently used ones make room for others. */
export interface Entries {
  get(name: string): { readonly value: CachedValue } | undefined
  set(name: string, entry: { readonly value: CachedValue }): unknown
  delete(name: string): unknown
}

export interface ReadAnswer {
  /** The version of the session at the time of the answer. */
  readonly version: number
  readonly values: readonly CachedValue[]
}

/** A write that has not ended. */
export interface WriteUnderWay {
  readonly fields: readonly Field[]
  /** The number of writes that had failed before it began. */
  readonly failures: number
}

/**
 * The cache of one session, from one claim to the next. It holds the state of the session at the highest version seen,
 * and drops what may differ from that.
 */
export class CachedSession {
  readonly fencingToken: number
  readonly #entries: Entries
  readonly #name: string
  /** Entries from before a reset are never found again. */
  #resets = 0
  #highest: number
  /** The highest version at the last reset; `#ended` counts the writes of this process since. */
  #since: number
  #ended = 0
  readonly #underWay = new Set<WriteUnderWay>()
  #failures = 0
  /** Failures before the start of a write that has succeeded: they matter to their own fields alone. */
  #overcome = 0
  /** Of failed writes, those that were not written again: a hybrid store may still carry out such a write. */
  readonly #doubtful = new Set<string>()

  /** `name`: unique to this session and this owner. */
  constructor(entries: Entries, name: string, fencingToken: number, version: number) {
    this.fencingToken = fencingToken
    this.#entries = entries
    this.#name = name
    this.#highest = version
    this.#since = version
  }

  /** Calls `read` for the fields that the cache lacks. The result is one state of the session. */
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
    for (const [i, field] of write.fields.entries()) {
      this.#doubtful.delete(toName(field))
      this.#hold(version, field, values[i] ?? null)
    }
  }

  /**
   * The write may have been, or may still be, carried out. The cache holds nothing until a later one has succeeded, and
   * none of its fields until they are written again.
   */
  failWrite(write: WriteUnderWay): void {
    this.#underWay.delete(write)
    this.#failures++
    for (const field of write.fields) this.#doubtful.add(toName(field))
    this.reset(this.#highest)
  }

  /** Another call has seen the session at this version. */
  notice(version: number): void {
    if (version <= this.#highest) return
    // No write of this process can have taken this version, so another process has.
    if (version - this.#since > this.#ended + this.#underWay.size) this.reset(version)
    this.#highest = version
    for (const { fields } of this.#underWay) for (const field of fields) this.#drop(field)
  }

  /** Drops everything held. */
  reset(version: number): void {
    this.#resets++
    this.#highest = Math.max(this.#highest, version)
    this.#since = this.#highest
    this.#ended = 0
  }

  /** Does not hold an answer to a question from before a reset: it may be older than the reason for the reset. */
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

  /**
   * Whether writes of this process explain every version seen. If not, another process may have written one of them.
   */
  get #isExplained(): boolean {
    return this.#highest - this.#since <= this.#ended
  }

  #find(fields: readonly Field[]): (CachedValue | undefined)[] {
    if (!this.#isExplained) return fields.map(() => undefined)
    return fields.map(field => this.#entries.get(this.#nameOf(field))?.value)
  }

  /** Holds the value, unless it is older than the highest version seen, or a failed write may still change it. */
  #hold(version: number, field: Field, value: CachedValue): void {
    if (field.type === CREDS_FIELD.type) return // only the claim reads them
    const isDoubtful = this.#failures > this.#overcome || this.#doubtful.has(toName(field))
    if (version < this.#highest || isDoubtful) this.#drop(field)
    else
      this.#entries.set(this.#nameOf(field), { value: value && { ...value, bytes: toOwnBytes(value.bytes) } })
  }

  #drop(field: Field): void {
    this.#entries.delete(this.#nameOf(field))
  }

  #nameOf(field: Field): string {
    return `${this.#name}\0${this.#resets}\0${toName(field)}`
  }
}

function toName({ type, id }: Field): string {
  return `${type}:${id}`
}
