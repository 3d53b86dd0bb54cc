import { setTimeout as sleep } from 'node:timers/promises'
import type { Calls } from '../../core/connection/calls.js'
import { forEach } from '../../core/for-each.js'
import { keyPrefixOf, mastersOf } from '../../redis/client.js'
import type { RedisConnection } from '../../redis/connection.js'
import type { KeyNames } from '../../redis/key-names.js'
import { about } from '../../redis/redis-errors.js'
import { toInteger, toList } from '../../redis/replies.js'
import { type Argument, defineScripts, type RunScript, withSession } from '../../redis/scripts.js'
import type { SessionScripts } from '../../redis/session-scripts.js'
import type { Breaker } from '../breaker/breaker.js'
import { Locks } from './locks.js'
import ack from './lua/ack.lua'
import discard from './lua/discard.lua'
import look from './lua/look.lua'
import mark from './lua/mark.lua'
import { isVersion, MAX_ENTRY_BYTES, type OutboxEntry, parseEntry, toDigest, toMark } from './outbox-entry.js'

const SCAN_COUNT = 500
const SESSIONS_AT_ONCE = 8
const MAX_REST_MS = 1000

export interface StoredEntry {
  version: number
  /** `undefined`: the text is not a valid entry. */
  entry: OutboxEntry | undefined
  /** Tells this text from that of another write that takes the same version later. */
  digest: string
}

/** Names to pass over while their text has this digest; '' for names that are no versions. */
export type PassedOver = ReadonlyMap<string, string>

/** The names in the outbox of a session. */
export interface OutboxNames {
  /** In their order. */
  readonly versions: readonly string[]
  /** Names that are no versions: when their values were written is unknown. */
  readonly strange: readonly string[]
}

/** A version, and the digest of a text that the caller knows and need not get; '' for none. */
export type Asked = readonly [version: string, knownDigest: string]

const SOURCES = withSession({ ack, discard, mark, look })

export interface OutboxParts {
  connection: RedisConnection
  names: KeyNames
  breaker: Breaker
  calls: Calls
  sessions: SessionScripts
}

/** Writes that Redis has taken and MongoDB may lack. The scripts that write a session add them. */
export class Outbox {
  /** Locks in the same Redis, for what one process at a time does with outboxes. */
  readonly locks: Locks
  readonly #connection: RedisConnection
  readonly #names: KeyNames
  readonly #breaker: Breaker
  readonly #calls: Calls
  readonly #sessions: SessionScripts
  readonly #scripts: Record<keyof typeof SOURCES, RunScript>

  constructor({ connection, names, breaker, calls, sessions }: OutboxParts) {
    this.#connection = connection
    this.#names = names
    this.#breaker = breaker
    this.#calls = calls
    this.#sessions = sessions
    this.#scripts = defineScripts(connection.client, SOURCES)
    this.locks = new Locks(connection.client, call => this.#send(call))
  }

  /** `isLastResort`: the caller cannot go on without it: ask Redis even while its breaker is open. */
  async list(sessionId: string, isLastResort = false): Promise<OutboxNames> {
    const { client } = this.#connection
    const key = this.#names.of(sessionId)[2] as string
    const names = await this.#send(() => client.hkeys(key), isLastResort).catch(error =>
      about(sessionId, error, key),
    )
    const versions = names.filter(isVersion).sort((a, b) => Number(a) - Number(b))
    return { versions, strange: names.filter(name => !isVersion(name)) }
  }

  /** What is stored at these versions, in their order, except the known texts. `isLastResort`: see `list`. */
  async read(sessionId: string, asked: readonly Asked[], isLastResort = false): Promise<StoredEntry[]> {
    if (asked.length === 0) return []
    const send = () => this.#sessions.run(this.#scripts.look, sessionId, [MAX_ENTRY_BYTES, ...asked.flat()])
    const [, found] = isLastResort ? await this.#breaker.insist(send) : await this.#breaker.run(send)
    return toList(found).flatMap((text, i) => {
      const version = Number(asked[i]?.[0])
      if (Array.isArray(text)) return [{ version, entry: undefined, digest: String(text[0]) }]
      if (!Buffer.isBuffer(text)) return []
      return [{ version, entry: parseEntry(String(text), sessionId, version), digest: toDigest(text) }]
    })
  }

  /** What is stored at this version, if anything is. */
  async entryAt(sessionId: string, version: number): Promise<StoredEntry | undefined> {
    return (await this.read(sessionId, [[`${version}`, '']]))[0]
  }

  /** Removes the entries of writes that MongoDB has. */
  async ack(sessionId: string, applied: readonly { version: number; operationId: string }[]): Promise<void> {
    const input = applied.flatMap(({ version, operationId }) => [version, toMark(operationId)])
    await this.#run(this.#scripts.ack, sessionId, input)
  }

  /** Replaces the entry of the same write. Returns the digest of the new text. */
  async mark(sessionId: string, entry: OutboxEntry): Promise<string> {
    const text = JSON.stringify(entry)
    await this.#run(this.#scripts.mark, sessionId, [entry.version, toMark(entry.operationId), text])
    return toDigest(text)
  }

  /** Removes a key of another type under the name of a session's outbox; `false`: there is no such key. */
  async discardForeign(sessionId: string): Promise<boolean> {
    const [, count] = await this.#breaker.run(() => this.#sessions.run(this.#scripts.discard, sessionId, []))
    return toInteger(count) > 0
  }

  /**
   * Runs `action` for each session that has an outbox, SESSIONS_AT_ONCE at a time. Throws the first error after all have
   * ended. `rests`: see `#scan`.
   */
  forEachSession(action: (sessionId: string) => Promise<void>, { rests = 0 } = {}): Promise<void> {
    return forEach(this.#scan(rests), SESSIONS_AT_ONCE, action)
  }

  /** After each page of `SCAN`, pauses for `rests` times as long as the page took. */
  async *#scan(rests: number): AsyncIterable<string> {
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

  async note(name: string, text: string, lifeMs: number): Promise<void> {
    const { client } = this.#connection
    await this.#send(() => client.set(name, text, 'PX', lifeMs))
  }

  recall(name: string): Promise<string | null> {
    const { client } = this.#connection
    return this.#send(() => client.get(name))
  }

  async #run(script: RunScript, sessionId: string, input: readonly Argument[]): Promise<void> {
    await this.#breaker.run(() => this.#sessions.run(script, sessionId, input))
  }

  #send<T>(call: () => Promise<T>, isLastResort = false): Promise<T> {
    const send = () => this.#calls.run(call)
    return isLastResort ? this.#breaker.insist(send) : this.#breaker.run(send)
  }
}
