import { vi } from 'vitest'
import { DocumentsMemory } from '../stand-ins/documents-memory.js'
import { RedisMemory } from '../stand-ins/redis-memory.js'
import { StandInError } from '../stand-ins/stand-in-error.js'
import { Random } from './random.js'

export type Side = 'redis' | 'mongo'
/** `frozen`: takes connections and answers nothing. */
type Condition = 'up' | 'down' | 'frozen'

interface Call {
  owner: Caller
  side: Side
  what: string
  execute: () => unknown
  resolve: (value: never) => void
  reject: (error: Error) => void
}

/** A process, as far as the network knows it. */
export interface Caller {
  readonly name: string
  /** `stalled`: it sends and hears nothing for a while. `dead`: it never will again. */
  condition: 'running' | 'stalled' | 'dead'
}

/** Of a call: not carried out; carried out and the answer lost. */
const LOST_REQUEST = 0.02
const LOST_ANSWER = 0.03
/** The clock goes on though a call is on its way: it is slow. */
const SLOW = 0.01
const realImmediate = setImmediate

/** Two servers, a network and a clock, all of which do what a seed says. */
export class World {
  readonly random: Random
  readonly redis = new RedisMemory(() => Date.now() + this.#skew.redis)
  readonly mongo = new DocumentsMemory()
  readonly servers: Record<Side, Condition> = { redis: 'up', mongo: 'up' }
  readonly #separated = new Set<string>()
  readonly log: string[] = []
  /** Without faults of the network. */
  isCalm = false
  /** The next answer of this server is lost, after it has done what it was asked. */
  losesAnswerOf: Side | undefined
  readonly #skew: Record<Side, number> = { redis: 0, mongo: 0 }
  #calls: Call[] = []

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  /** The clock of a server. */
  now(side: Side): number {
    return Date.now() + this.#skew[side]
  }

  jumpClock(side: Side, ms: number): void {
    this.#skew[side] += ms
    this.note(`the clock of ${side} jumps by ${ms} ms`)
  }

  /** Nothing reaches a server meanwhile. */
  passTime(ms: number): void {
    vi.advanceTimersByTime(ms)
    this.note(`${ms} ms pass`)
  }

  note(line: string): void {
    this.log.push(line)
  }

  send<T>(owner: Caller, side: Side, what: string, execute: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (owner.condition !== 'dead') this.#calls.push({ owner, side, what, execute, resolve, reject })
    })
  }

  /** What it has sent and no server has taken is lost. */
  cutOff(owner: Caller): void {
    this.#calls = this.#calls.filter(call => call.owner !== owner)
  }

  /** The process cannot reach the server until the result is called. */
  separate(owner: Caller, side: Side): () => void {
    const link = `${owner.name} ${side}`
    this.#separated.add(link)
    return () => void this.#separated.delete(link)
  }

  /** What is on its way to a server now gets there when the result is called, and not before. */
  holdUp(side: Side): () => void {
    const isHeld = (call: Call) => call.side === side
    const held = this.#calls.filter(isHeld)
    this.#calls = this.#calls.filter(call => !isHeld(call))
    return () => void this.#calls.push(...held)
  }

  /** Lets things happen, one at a time, until `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    for (let steps = 0; ; steps++) {
      await new Promise(resolve => realImmediate(resolve)) // everything that an answer leads to
      if (isOver()) return
      if (steps > 200_000) throw new Error('it never ends')
      this.#step()
    }
  }

  #step(): void {
    const ready = this.#ready()
    const isSlow = !this.isCalm && this.random.chance(SLOW)
    if (ready.length > 0 && !isSlow) this.#carryOut(this.random.pick(ready))
    else if (vi.getTimerCount() > 0) vi.advanceTimersToNextTimer()
    else throw new Error('nothing is left to happen')
  }

  /** Of each process and server the first call: answers come in the order of the questions on a connection. */
  #ready(): Call[] {
    const seen = new Set<string>()
    return this.#calls.filter(({ owner, side }) => {
      const connection = `${owner.name} ${side}`
      const isFirst = side === 'mongo' || !seen.has(connection)
      seen.add(connection)
      return isFirst && owner.condition !== 'stalled' && this.servers[side] !== 'frozen'
    })
  }

  #carryOut(call: Call): void {
    this.#calls.splice(this.#calls.indexOf(call), 1)
    const { owner, side, what, execute, resolve, reject } = call
    const isAway = this.servers[side] === 'down' || this.#separated.has(`${owner.name} ${side}`)
    const isLost = isAway || (!this.isCalm && this.random.chance(LOST_REQUEST))
    // What a dead process has sent may still arrive.
    if (isLost || (owner.condition === 'dead' && this.random.chance(0.5))) {
      this.note(`  ${owner.name} → ${side} ${what}: lost`)
      reject(toOutage())
      return
    }
    let answer: unknown
    let failure: Error | undefined
    try {
      answer = execute()
    } catch (error) {
      if (error instanceof StandInError) throw error
      failure = error as Error
    }
    const isLostOnce = this.losesAnswerOf === side
    if (isLostOnce) this.losesAnswerOf = undefined
    const isUnheard =
      owner.condition === 'dead' || isLostOnce || (!this.isCalm && this.random.chance(LOST_ANSWER))
    this.note(
      `  ${owner.name} → ${side} ${what}${isUnheard ? ', and the answer is lost' : ''}${failure ? ` ${failure.message}` : ''}`,
    )
    if (owner.condition === 'dead') return
    if (isUnheard) reject(toOutage())
    else if (failure) reject(failure)
    else resolve(answer as never)
  }
}

/** As the drivers report it. */
function toOutage(): Error {
  return Object.assign(new Error('connection lost'), { name: 'MongoNetworkError', code: 'ECONNRESET' })
}
