import { randomUUID } from 'node:crypto'
import type { Calls } from '../core/calls.js'
import { keyPrefixOf, mastersOf } from '../redis/client.js'
import type { RedisConnection } from '../redis/connection.js'
import type { KeyNames } from '../redis/key-names.js'
import { type Argument, defineScripts, type RunScript, withSession } from '../redis/scripts.js'
import type { SessionScripts } from '../redis/session-scripts.js'
import type { Breaker } from './breaker.js'
import ack from './lua/ack.lua'
import mark from './lua/mark.lua'
import unlock from './lua/unlock.lua'
import { type OutboxEntry, parseEntry } from './outbox-entry.js'

/** Entries that are taken at once. */
const PAGE = 128
const SCAN_COUNT = 500

export interface StoredEntry {
  version: number
  /** `undefined`: what lies there is no entry. */
  entry: OutboxEntry | undefined
}

export interface EntriesOptions {
  /** Versions to pass over. */
  leftOut?: ReadonlySet<number> | undefined
  most?: number | undefined
  /** Nothing can go on without them: Redis is asked although its breaker is open. */
  isLastResort?: boolean | undefined
}

export interface OutboxPage {
  entries: StoredEntry[]
  /** Of all entries but those that were left out. */
  count: number
  /** Whether there are no others. */
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
  readonly #scripts: Record<keyof typeof SOURCES | 'unlock', RunScript>
  readonly #lockHolder = randomUUID()

  constructor({ connection, names, breaker, calls, sessions }: OutboxParts) {
    this.#connection = connection
    this.#names = names
    this.#breaker = breaker
    this.#calls = calls
    this.#sessions = sessions
    this.#scripts = defineScripts(connection.client, { ...withSession(SOURCES), unlock })
  }

  /** The first entries of a session by version. */
  async entries(sessionId: string, options: EntriesOptions = {}): Promise<OutboxPage> {
    const { leftOut, most = PAGE, isLastResort = false } = options
    const { client } = this.#connection
    const key = this.#names.of(sessionId)[2] as string
    const names = await this.#send(() => client.hkeys(key), isLastResort)
    const versions = names.map(Number).filter(version => !leftOut?.has(version))
    const first = versions.sort((a, b) => a - b).slice(0, most)
    const count = versions.length
    const isAll = first.length === count
    if (count === 0) return { entries: [], count, isAll }
    const values = await this.#send(() => client.hmget(key, ...first.map(String)), isLastResort)
    const entries = first.flatMap((version, i) => {
      const json = values[i]
      return json == null ? [] : [{ version, entry: parseEntry(json, sessionId, version) }]
    })
    return { entries, count, isAll }
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

  /** Those that have entries. */
  async *sessions(): AsyncIterable<string> {
    const { client } = this.#connection
    const clientPrefix = keyPrefixOf(client)
    for (const master of await this.#send(() => mastersOf(client))) {
      let cursor = '0'
      do {
        const [next, keys] = await this.#send(() =>
          master.scan(cursor, 'MATCH', this.#names.outboxPattern(clientPrefix), 'COUNT', SCAN_COUNT),
        )
        for (const key of keys) yield this.#names.sessionIdOfOutbox(key, clientPrefix)
        cursor = next
      } while (cursor !== '0')
    }
  }

  /** Takes a lock for so long; `false`: another process has it. */
  async lock(name: string, lifeMs: number): Promise<boolean> {
    const { client } = this.#connection
    return (await this.#send(() => client.set(name, this.#lockHolder, 'PX', lifeMs, 'NX'))) !== null
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

/** What is found in the entry of this operation, and in no other. */
function toMark(operationId: string): string {
  return `"operationId":${JSON.stringify(operationId)}`
}
