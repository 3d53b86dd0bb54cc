/** The key that stands for the creds. */
export const CREDS_KEY = '@creds'

/** One write, of the same value to each of its keys; or the deletion of all of them. */
export interface WriteRecord {
  readonly value: number
  readonly keys: readonly string[]
  /** It leaves nothing to be read. */
  readonly isDeletion: boolean
  /** A deletion that the present owner does not see. */
  readonly isExpiry: boolean
  /** Who wrote it. */
  readonly owner: number
  /** `unknown`: it has failed, or has not ended: it may be seen from now on, or never. */
  outcome: 'unknown' | 'acknowledged' | 'refused'
  /** It was acknowledged as waiting for MongoDB, and Redis has lost data since. */
  mayBeLost: boolean
  isDurable: boolean
  /** Somebody has read it, so it has taken place, even if nobody has heard of its end. */
  wasRead: boolean
}

/** What reads may find, by what was written: a register for each key. Writes of one key do not overlap. */
export class History {
  readonly #byKey = new Map<string, WriteRecord[]>()
  /** By key: nothing older may be read by the present owner, since it has read this. */
  #floors = new Map<string, WriteRecord>()
  #owner = 0
  #lastValue = 0

  constructor(readonly keys: readonly string[]) {
    for (const key of [...keys, CREDS_KEY]) this.#byKey.set(key, [])
  }

  beginDeletion(owner: number): WriteRecord {
    return this.begin([...this.keys, CREDS_KEY], owner, { isDeletion: true })
  }

  /** From now on, later owners may find nothing. */
  beginExpiry(): WriteRecord {
    return this.begin([...this.keys, CREDS_KEY], this.#owner, { isDeletion: true, isExpiry: true })
  }

  begin(keys: readonly string[], owner: number, { isDeletion = false, isExpiry = false } = {}): WriteRecord {
    const value = ++this.#lastValue
    const record: WriteRecord = {
      value,
      keys,
      isDeletion,
      isExpiry,
      owner,
      outcome: 'unknown',
      mayBeLost: false,
      isDurable: false,
      wasRead: false,
    }
    for (const key of keys) this.#of(key).push(record)
    return record
  }

  /** Whether it is known which session a restoration brings back: no failed write may have begun a later one. */
  get knowsLastLife(): boolean {
    return !this.#sinceLastLife().some(one => !one.isDeletion && one.outcome === 'unknown')
  }

  /** The deletions after the last write of creds that took place. From now on, what they removed may be read again. */
  beginRestoration(): WriteRecord[] {
    const undone = this.#sinceLastLife().filter(one => one.isDeletion && one.outcome !== 'refused')
    for (const record of undone) record.outcome = 'unknown'
    return undone
  }

  /** A later owner has opened the session: what it has read is what counts from now on. */
  changeOwner(owner: number): void {
    this.#owner = owner
    this.#floors = new Map()
  }

  /** Redis has lost data: of what was never acknowledged, that it was read does not keep it. */
  loseOutbox(): void {
    for (const [key, { outcome }] of this.#floors) if (outcome === 'unknown') this.#floors.delete(key)
    for (const records of this.#byKey.values()) {
      for (const record of records) if (!record.isDurable) record.mayBeLost = true
    }
  }

  /** Whether nothing may be read now. */
  mayBeGone(key: string): boolean {
    return this.#allowed(key).some(one => seenOf(one) === undefined)
  }

  /** Throws for a value that must not be read now. */
  check(key: string, found: number | undefined): void {
    const allowed = this.#allowed(key)
    const fitting = allowed.filter(one => seenOf(one) === found)
    if (fitting.length === 0) {
      const values = allowed.map(one => seenOf(one) ?? 'nothing')
      throw new Error(`${key} reads ${found ?? 'as nothing'}; allowed: ${values.join(', ')}`)
    }
    const [record] = fitting
    if (record && fitting.length === 1) this.#noteRead(key, record) // else any of the deletions may be meant
  }

  /** The keys as of one moment: of each write that is seen, every part is seen or overwritten. */
  checkWhole(values: Readonly<Record<string, number>>, keys: readonly string[]): void {
    for (const key of keys) this.check(key, values[key])
    for (const seenAt of keys) {
      const value = values[seenAt]
      if (value === undefined) continue
      const record = this.#of(seenAt).find(one => one.value === value) as WriteRecord
      for (const key of record.keys) {
        const found = values[key] ?? 0
        if (found < value)
          throw new Error(`write ${value} is torn: ${key} still reads ${found || 'as nothing'}`)
      }
    }
  }

  /** `undefined` is "nothing". */
  #allowed(key: string): (WriteRecord | undefined)[] {
    const records = this.#of(key)
    const floor = this.#floors.get(key)
    const allowed: (WriteRecord | undefined)[] = []
    for (const record of records.toReversed()) {
      const isSeen = !record.isExpiry || record.owner !== this.#owner
      if (record.outcome !== 'refused' && isSeen) allowed.push(record)
      const isCertain = record.outcome === 'acknowledged' && !record.mayBeLost
      if (isCertain || record === floor) return allowed
    }
    return [...allowed, undefined]
  }

  /** Of the records of the creds, those after the last write that took place. */
  #sinceLastLife(): WriteRecord[] {
    const records = this.#of(CREDS_KEY)
    const tookPlace = ({ outcome, wasRead }: WriteRecord) => outcome === 'acknowledged' || wasRead
    return records.slice(records.findLastIndex(one => !one.isDeletion && tookPlace(one)) + 1)
  }

  #noteRead(key: string, record: WriteRecord): void {
    record.wasRead = true
    this.#floors.set(key, record)
    // What an earlier owner has not got in until now is refused.
    const records = this.#of(key)
    for (const later of records.slice(records.indexOf(record) + 1)) {
      if (later.owner < this.#owner && later.outcome === 'unknown') later.outcome = 'refused'
    }
  }

  #of(key: string): WriteRecord[] {
    return this.#byKey.get(key) as WriteRecord[]
  }
}

function seenOf(record: WriteRecord | undefined): number | undefined {
  return record?.isDeletion ? undefined : record?.value
}
