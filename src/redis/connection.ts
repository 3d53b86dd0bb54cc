import { endsWithin } from '../core/ends-within.js'
import type { InvalidOptionError } from '../core/errors.js'
import { ServerLink } from '../core/server-link.js'
import { SessionMemory } from '../core/store/session-memory.js'
import { addressesOf, type RedisClient } from './client.js'
import { assertOneWriter, findRisks, type Risk } from './durability-check.js'
import { reasonOf } from './redis-errors.js'
import { loadScripts, type Scripts } from './scripts.js'

/** Longest wait for the answers that are still due when a connection is closed. */
const QUIT_MS = 1000

/** One client with its scripts, and what the process knows of the sessions that it has reached through it. */
export class RedisConnection {
  readonly link: ServerLink
  readonly #client: RedisClient
  readonly #scripts: Scripts
  /** Why nothing is sent to it any more. */
  #refusal: InvalidOptionError | undefined
  readonly #memories = new Map<string, SessionMemory>()
  #risks: Promise<Risk[]> | undefined

  constructor(client: RedisClient) {
    this.#client = client
    this.link = new ServerLink({ store: 'Redis', address: () => addressesOf(client), describe: reasonOf })
    this.#scripts = loadScripts(client)
  }

  /** Remembers what keeps the client from its server, of which ioredis tells calls nothing. */
  watch(): void {
    this.#client.on('error', error => this.link.noteFailure(error))
    this.#client.on('ready', () => this.link.noteConnected())
  }

  /** From now on every call throws this. */
  refuse(refusal: InvalidOptionError): void {
    this.#refusal = refusal
  }

  /** Throws what it is refused for. */
  get client(): RedisClient {
    this.assertUsable()
    return this.#client
  }

  /** Throw like `client`. */
  get scripts(): Scripts {
    this.assertUsable()
    return this.#scripts
  }

  get status(): string {
    return this.#client.status
  }

  assertUsable(): void {
    if (this.#refusal) throw this.#refusal
  }

  /** Shared by all stores that put this before their keys: the same name is another session under another prefix. */
  memoryOf(prefix: string): SessionMemory {
    const memory = this.#memories.get(prefix) ?? new SessionMemory()
    this.#memories.set(prefix, memory)
    return memory
  }

  /** Asked for once, however many stores share the connection; again when the server was out of reach. */
  risks(): Promise<Risk[]> {
    this.#risks ??= findRisks(this.#client).catch(error => {
      this.#risks = undefined
      throw error
    })
    return this.#risks
  }

  /**
   * Throws `INVALID_OPTION` where several servers take writes to the same keys. A server that has not been asked, or does
   * not let itself be asked, is taken for one that does not.
   */
  async assertOneWriter(): Promise<void> {
    this.assertUsable()
    if (this.#risks !== undefined) assertOneWriter(await this.#risks.catch(() => []))
  }

  /** Waits for the answers under way, where the server still gives any. */
  async close(): Promise<void> {
    const client = this.#client
    if (client.status === 'ready') {
      await endsWithin(QUIT_MS, client.quit()).catch(() => {
        // It closes below all the same.
      })
    }
    client.disconnect()
  }
}
