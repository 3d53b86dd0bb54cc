import { Dirty } from './dirty.js'
import type { PassedOver } from './outbox.js'
import { type PendingWrite, sizeOf } from './pending-write.js'

/** Over all sessions of a store; of other writes the outbox alone has the values. */
const MAX_HELD_BYTES = 64 * 1024 * 1024

/** How many bytes of values a store holds. */
export class HeldBytes {
  #count = 0

  /** `false`: there is no room for so many. */
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
  /** By operation. */
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

  /** Whether the outbox alone has the values of some. */
  get isIncomplete(): boolean {
    return [...this.#writes.values()].some(({ writes }) => writes === undefined)
  }

  /** Other writes may wait in the outbox than those of this process. */
  get othersWait(): boolean {
    return this.#others.isSet
  }

  /** Names in the outbox that cannot be applied, versions and what is none, each with the digest of what was found there. */
  get passedOver(): PassedOver {
    return this.#passedOver
  }

  get isIdle(): boolean {
    return this.isEmpty && this.#passedOver.size === 0 && !this.#isScheduled && !this.othersWait
  }

  /** `operationBefore`: as of `RedisCommit`. I3: a process that knows that operation knows what waits beside it. */
  add(write: PendingWrite, operationBefore: string): void {
    this.remove(write.operationId) // a repeated one takes its place
    const isHeld = this.#heldBytes.reserve(sizeOf(write))
    this.#writes.set(write.operationId, isHeld ? write : { ...write, writes: undefined })
    if (operationBefore !== '' && operationBefore !== this.#lastAdded) this.noteOthers()
    this.#lastAdded = write.operationId
    this.#highest = Math.max(this.#highest, write.version)
  }

  has(operationId: string): boolean {
    return this.#writes.has(operationId)
  }

  /** Those up to a version; the ones without values as well. */
  upTo(version: number): PendingWrite[] {
    return [...this.#writes.values()].filter(write => write.version <= version)
  }

  /** The durable store has it, or never will. */
  remove(operationId: string): PendingWrite | undefined {
    const write = this.#writes.get(operationId)
    this.#writes.delete(operationId)
    if (write?.writes) this.#heldBytes.release(sizeOf(write))
    return write
  }

  /** Tells who waits for one of them; they stay. */
  rejectAll(error: unknown): void {
    for (const { reject } of this.#writes.values()) reject?.(error)
  }

  noteOthers(): void {
    this.#others.note()
  }

  /** The result says that all that may have waited by now has been found. */
  beginLook(): () => void {
    return this.#others.begin()
  }

  passOver(name: string, digest: string): void {
    this.#passedOver.set(name, digest)
  }

  /** `names`: those that are still in the outbox. */
  forgetPassedOver(names?: ReadonlySet<string>): void {
    for (const name of [...this.#passedOver.keys()]) if (!names?.has(name)) this.#passedOver.delete(name)
  }

  /** Whether a run that will take all of it is about to begin. */
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
