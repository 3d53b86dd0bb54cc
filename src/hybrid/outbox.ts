import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Calls } from '../core/calls.js'
import { keyPrefixOf, mastersOf } from '../redis/client.js'
import type { RedisConnection } from '../redis/connection.js'
import type { KeyNames } from '../redis/key-names.js'
import { type Argument, defineScripts, type RunScript, withSession } from '../redis/scripts.js'
import type { SessionScripts } from '../redis/session-scripts.js'
import type { Breaker } from './breaker.js'
import ack from './lua/ack.lua'
import extend from './lua/extend.lua'
import mark from './lua/mark.lua'
import unlock from './lua/unlock.lua'
import { isVersion, type OutboxEntry, parseEntry, toMark } from './outbox-entry.js'

/** Entries that are taken at once. */
const PAGE = 128
const SCAN_COUNT = 500
const MAX_REST_MS = 1000

export interface StoredEntry {
  version: number
  /** `undefined`: what lies there is no entry. */
  entry: OutboxEntry | undefined
}

export interface EntriesOptions {
  /** Names to pass over: versions, and what is none. */
  leftOut?: ReadonlySet<string> | undefined
  most?: number | undefined
  /** Nothing can go on without them: Redis is asked although its breaker is open. */
  isLastResort?: boolean | undefined
}

export interface OutboxPage {
  entries: StoredEntry[]
  /** Names that are no versions: nobody can say when what they hold was written. */
  strangeNames: string[]
  /** Of all names but those that were left out. */
  count: number
  /** Whether there are no other entries. */
  isAll: boolean
}

const SOURCES = { ack, mark }

export interface OutboxParts {
  connection: RedisConnection
  names: KeyNames
  breaker: Breaker
  calls: Calls
  sessions: SessionScripts
}

/** Writes that Redis has taken and MongoDB may not have yet. The scripts that write a session put them there. */
export class Outbox {
  readonly #connection: RedisConnection
  readonly #names: KeyNames
  readonly #breaker: Breaker
  readonly #calls: Calls
  readonly #sessions: SessionScripts
  readonly #scripts: Record<keyof typeof SOURCES | 'unlock' | 'extend', RunScript>
  readonly #lockHolder = randomUUID()

  constructor({ connection, names, breaker, calls, sessions }: OutboxParts) {
    this.#connection = connection
    this.#names = names
    this.#breaker = breaker
    this.#calls = calls
    this.#sessions = sessions
    this.#scripts = defineScripts(connection.client, { ...withSession(SOURCES), unlock, extend })
  }

  /** The first entries of a session by version. */
  async entries(sessionId: string, options: EntriesOptions = {}): Promise<OutboxPage> {
    const { leftOut, most = PAGE, isLastResort = false } = options
    const { client } = this.#connection
    const key = this.#names.of(sessionId)[2] as string
    const names = await this.#send(() => client.hkeys(key), isLastResort)
    const left = names.filter(name => !leftOut?.has(name))
    const strangeNames = left.filter(name => !isVersion(name))
    const versions = left.filter(isVersion).map(Number)
    const first = versions.sort((a, b) => a - b).slice(0, most)
    const count = left.length
    const isAll = first.length === versions.length
    if (first.length === 0) return { entries: [], strangeNames, count, isAll }
    const values = await this.#send(() => client.hmget(key, ...first.map(String)), isLastResort)
    const entries = first.flatMap((version, i) => {
      const json = values[i]
      return json == null ? [] : [{ version, entry: parseEntry(json, sessionId, version) }]
    })
    return { entries, strangeNames, count, isAll }
  }

  /** Removes entries that MongoDB has. */
  async ack(sessionId: string, applied: readonly { version: number; operationId: string }[]): Promise<void> {
    const input = applied.flatMap(({ version, operationId }) => [version, toMark(operationId)])
    await this.#run(this.#scripts.ack, sessionId, input)
  }

  /** Replaces the entry that it was made from. */
  async mark(sessionId: string, entry: OutboxEntry): Promise<void> {
    const input = [entry.version, toMark(entry.operationId), JSON.stringify(entry)]
    await this.#run(this.#scripts.mark, sessionId, input)
  }

  /** Those that have entries. `rests`: so many times as long as a page of `SCAN` has taken, it pauses before the next. */
  async *sessions({ rests = 0 } = {}): AsyncIterable<string> {
    const { client } = this.#connection
    const clientPrefix = keyPrefixOf(client)
    for (const master of await this.#send(() => mastersOf(client))) {
      let cursor = '0'
      do {
        const beganMs = performance.now()
        const [next, keys] = await this.#send(() =>
          master.scan(cursor, 'MATCH', this.#names.outboxPattern(clientPrefix), 'COUNT', SCAN_COUNT),
        )
        const restMs = Math.min(rests * (performance.now() - beganMs), MAX_REST_MS)
        for (const key of keys) yield this.#names.sessionIdOfOutbox(key, clientPrefix)
        cursor = next
        if (restMs > 0 && cursor !== '0') await sleep(restMs)
      } while (cursor !== '0')
    }
  }

  /** Takes a lock for so long; `false`: another process has it. */
  async lock(name: string, lifeMs: number): Promise<boolean> {
    const { client } = this.#connection
    return (await this.#send(() => client.set(name, this.#lockHolder, 'PX', lifeMs, 'NX'))) !== null
  }

  /** Has a lock of this process end after so long from now. */
  async extend(name: string, lifeMs: number): Promise<void> {
    await this.#send(() => this.#scripts.extend([name], [this.#lockHolder, Math.ceil(lifeMs)]))
  }

  async note(name: string, text: string, lifeMs: number): Promise<void> {
    const { client } = this.#connection
    await this.#send(() => client.set(name, text, 'PX', lifeMs))
  }

  recall(name: string): Promise<string | null> {
    const { client } = this.#connection
    return this.#send(() => client.get(name))
  }

  /** Runs `action` under a lock that ends after `lifeMs` at the latest; `false`: another process has it. */
  async locked(name: string, lifeMs: number, action: () => Promise<void>): Promise<boolean> {
    if (!(await this.lock(name, lifeMs))) return false
    try {
      await action()
    } finally {
      await this.#send(() => this.#scripts.unlock([name], [this.#lockHolder])).catch(() => {}) // it ends by itself
    }
    return true
  }

  async #run(script: RunScript, sessionId: string, input: readonly Argument[]): Promise<void> {
    await this.#breaker.run(() => this.#sessions.run(script, sessionId, input))
  }

  #send<T>(call: () => Promise<T>, isLastResort = false): Promise<T> {
    const send = () => this.#calls.run(call)
    return isLastResort ? this.#breaker.insist(send) : this.#breaker.run(send)
  }
}
