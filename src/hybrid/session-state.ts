import type { Guard } from '../core/backend.js'
import type { PendingWrite } from './pending-write.js'

/** Calls that have not ended. */
export class UnderWay {
  readonly #calls = new Set<Promise<unknown>>()

  async run<T>(call: () => Promise<T>): Promise<T> {
    const running = call()
    this.#calls.add(running)
    try {
      return await running
    } finally {
      this.#calls.delete(running)
    }
  }

  get isNone(): boolean {
    return this.#calls.size === 0
  }

  /** There is none, for as long as nothing is awaited after this. */
  async end(): Promise<void> {
    while (!this.isNone) await Promise.allSettled(this.#calls)
  }
}

/** Something to be seen to, which may come up again while it is. */
class Concern {
  #noted = 0
  #settled = 0

  get isOpen(): boolean {
    return this.#noted > this.#settled
  }

  note(): void {
    this.#noted++
  }

  /** Remembers what has been noted by now; the result says that it has been seen to. */
  begin(): () => void {
    const noted = this.#noted
    return () => {
      this.#settled = Math.max(this.#settled, noted)
    }
  }
}

/** What this process has to remember of a session, as long as it differs from "all is well". */
export class SessionState {
  readonly #divergence = new Concern()
  readonly #foreign = new Concern()
  /** Writes that Redis has been asked to carry out, and writes past Redis. Never both at a time. */
  readonly atRedis = new UnderWay()
  readonly bypassing = new UnderWay()
  /** How many writes Redis has been sent whose answer has not come, or has not been looked at. */
  unanswered = 0
  /** Whoever would have to find it again as it was. */
  readonly users = new UnderWay()
  /** The highest version that Redis has given to a write of this process. */
  highestTaken = 0
  /** Redis has lost writes, and has taken others since: what it holds is not what MongoDB has, whatever the version. */
  hasForked = false
  /** A write past Redis that was given up, and that MongoDB may still be asked to carry out. */
  lostBypass: Guard | undefined
  /** The last operation that was added: beside it, all that waits is known, or `hasForeign`. */
  #lastAdded = ''
  /** The highest version of a write of this process that MongoDB was yet to get. */
  highestAdded = 0
  /** A run that will take all of `unapplied` is about to begin. */
  isScheduled = false
  /** By operation: MongoDB does not have them yet, as far as is known. */
  readonly unapplied = new Map<string, PendingWrite>()
  /** Names of entries that cannot be applied, versions and what is none, each with the digest of what was found there. */
  readonly parked = new Map<string, string>()

  /** Redis may be behind MongoDB: a write went past it, or two histories have met. */
  get isBehind(): boolean {
    return this.#divergence.isOpen
  }

  noteDivergence(): void {
    this.#divergence.note()
  }

  /** Remembers what has diverged by now; the result says that it has been brought together. */
  beginHealing(): () => void {
    return this.#divergence.begin()
  }

  /** Other writes may wait in the outbox than those of this process. */
  get hasForeign(): boolean {
    return this.#foreign.isOpen
  }

  noteForeign(): void {
    this.#foreign.note()
  }

  /** Remembers what may wait by now; the result says that the outbox has been looked into. */
  beginFinding(): () => void {
    return this.#foreign.begin()
  }

  get isIdle(): boolean {
    const counts = this.unapplied.size + this.parked.size
    const underWay = [this.atRedis, this.bypassing, this.users]
    const isAtWork = this.isScheduled || underWay.some(({ isNone }) => !isNone)
    return counts === 0 && !isAtWork && !this.isBehind && !this.hasForeign && this.lostBypass === undefined
  }

  /** `operationBefore`: as of `RedisCommit`. */
  add(write: PendingWrite, operationBefore: string): void {
    this.unapplied.set(write.operationId, write)
    if (operationBefore !== '' && operationBefore !== this.#lastAdded) this.noteForeign()
    this.#lastAdded = write.operationId
    this.highestAdded = Math.max(this.highestAdded, write.version)
  }
}

/** Of the sessions of one store. */
export class SessionStates {
  readonly #states = new Map<string, SessionState>()

  of(sessionId: string): SessionState {
    const state = this.#states.get(sessionId) ?? new SessionState()
    this.#states.set(sessionId, state)
    return state
  }

  /** Keeps it as long as `action` runs, whatever others forget. */
  async use<T>(sessionId: string, action: (state: SessionState) => Promise<T>): Promise<T> {
    const state = this.of(sessionId)
    try {
      return await state.users.run(() => action(state))
    } finally {
      this.release(sessionId)
    }
  }

  isBehind(sessionId: string): boolean {
    return this.#states.get(sessionId)?.isBehind ?? false
  }

  /** Whether Redis may have answered a write of this process, and nobody has looked at the answer yet. */
  hasUnanswered(sessionId: string): boolean {
    return (this.#states.get(sessionId)?.unanswered ?? 0) > 0
  }

  hasForked(sessionId: string): boolean {
    return this.#states.get(sessionId)?.hasForked ?? false
  }

  /** Forgets what there is nothing to remember of. */
  release(sessionId: string): void {
    if (this.#states.get(sessionId)?.isIdle) this.#states.delete(sessionId)
  }

  /** Writes of this process that MongoDB does not have, as far as is known. */
  countUnapplied(): number {
    return [...this.#states.values()].reduce((sum, { unapplied }) => sum + unapplied.size, 0)
  }

  /** Sessions with writes that MongoDB does not have. */
  withUnapplied(): string[] {
    return [...this.#states].filter(([, { unapplied }]) => unapplied.size > 0).map(([sessionId]) => sessionId)
  }
}
