import type { PassedOver } from '../outbox/outbox.js'
import { Dirty } from './dirty.js'
import { type PendingWrite, sizeOf } from './pending-write.js'

/** Most bytes of values held over all sessions of a store. Values of further writes are in the outbox alone. */
const MAX_HELD_BYTES = 64 * 1024 * 1024

/** Counts the bytes of values that a store holds. */
export class HeldBytes {
  #count = 0

  /** `false`: there is no room for them. */
  reserve(bytes: number): boolean {
    if (this.#count + bytes > MAX_HELD_BYTES) return false
    this.#count += bytes
    return true
  }

  release(bytes: number): void {
    this.#count -= bytes
  }
}

/** The writes of this process to one session that the durable store lacks, and what is known of others' writes. */
export class Backlog {
  readonly #heldBytes: HeldBytes
  /** By operation id. */
  readonly #writes = new Map<string, PendingWrite>()
  readonly #others = new Dirty()
  readonly #passedOver = new Map<string, string>()
  #lastAdded = ''
  #highest = 0
  #isScheduled = false

  constructor(heldBytes: HeldBytes) {
    this.#heldBytes = heldBytes
  }

  get size(): number {
    return this.#writes.size
  }

  get isEmpty(): boolean {
    return this.size === 0
  }

  /** The highest version that was ever added. */
  get highest(): number {
    return this.#highest
  }

  /** Whether some values are in the outbox alone. */
  get isIncomplete(): boolean {
    return [...this.#writes.values()].some(({ writes }) => writes === undefined)
  }

  /** I3: whether writes of other processes may wait in the outbox. */
  get othersWait(): boolean {
    return this.#others.isSet
  }

  /** Names in the outbox that cannot be applied, parked or malformed, each with the digest of its text. */
  get passedOver(): PassedOver {
    return this.#passedOver
  }

  get isIdle(): boolean {
    return this.isEmpty && this.#passedOver.size === 0 && !this.#isScheduled && !this.othersWait
  }

  /** `operationBefore`: see `RedisCommit`. I3: if it is the operation added last, all that waits is known. */
  add(write: PendingWrite, operationBefore: string): void {
    this.remove(write.operationId) // a repeated write replaces its first attempt
    const isHeld = this.#heldBytes.reserve(sizeOf(write))
    this.#writes.set(write.operationId, isHeld ? write : { ...write, writes: undefined })
    if (operationBefore !== '' && operationBefore !== this.#lastAdded) this.noteOthers()
    this.#lastAdded = write.operationId
    this.#highest = Math.max(this.#highest, write.version)
  }

  has(operationId: string): boolean {
    return this.#writes.has(operationId)
  }

  /** Whether a caller waits for the write. */
  isAwaited(operationId: string): boolean {
    return this.#writes.get(operationId)?.resolve !== undefined
  }

  /** The writes up to a version, including those without values. */
  upTo(version: number): PendingWrite[] {
    return [...this.#writes.values()].filter(write => write.version <= version)
  }

  /** The durable store has the write, or will never take it. */
  remove(operationId: string): PendingWrite | undefined {
    const write = this.#writes.get(operationId)
    this.#writes.delete(operationId)
    if (write?.writes) this.#heldBytes.release(sizeOf(write))
    return write
  }

  /** Rejects the promises of the callers that wait. The writes stay, and nobody waits for them any more. */
  rejectAll(error: unknown): void {
    for (const [operationId, { resolve, reject, ...write }] of this.#writes) {
      this.#writes.set(operationId, write)
      reject?.(error)
    }
  }

  noteOthers(): void {
    this.#others.note()
  }

  /** The result says that all entries that may have waited before this call have been found. */
  beginLook(): () => void {
    return this.#others.begin()
  }

  passOver(name: string, digest: string): void {
    this.#passedOver.set(name, digest)
  }

  /** `names`: those still in the outbox. */
  forgetPassedOver(names?: ReadonlySet<string>): void {
    for (const name of [...this.#passedOver.keys()]) if (!names?.has(name)) this.#passedOver.delete(name)
  }

  /** Whether a run that takes the whole backlog is about to begin. */
  get isScheduled(): boolean {
    return this.#isScheduled
  }

  schedule(): void {
    this.#isScheduled = true
  }

  beginRun(): void {
    this.#isScheduled = false
  }
}
