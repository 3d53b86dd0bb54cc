import { endsWithin } from '../core/ends-within.js'
import type { InvalidOptionError } from '../core/errors.js'
import { ServerLink } from '../core/server-link.js'
import { SessionMemory } from '../core/store/session-memory.js'
import { addressesOf, type RedisClient } from './client.js'
import { assertOneWriter, findRisks, type Risk } from './durability-check.js'
import { isOfEndedAttempt, isOfSentinels, reasonOf } from './redis-errors.js'
import { loadScripts, type Scripts } from './scripts.js'

/** How long closing a connection waits for outstanding answers. */
const QUIT_MS = 1000

/** One client with its scripts, and what the process knows of the sessions reached through it. */
export class RedisConnection {
  readonly link: ServerLink
  readonly #client: RedisClient
  readonly #scripts: Scripts
  /** Why the connection refuses all calls. */
  #refusal: InvalidOptionError | undefined
  #isClosed = false
  readonly #memories = new Map<string, SessionMemory>()
  #risks: Promise<Risk[]> | undefined

  constructor(client: RedisClient) {
    this.#client = client
    this.link = new ServerLink({ store: 'Redis', address: () => addressesOf(client), describe: reasonOf })
    this.#scripts = loadScripts(client)
  }

  /** Remembers why the client cannot reach its server: ioredis does not tell its calls. */
  watch(): void {
    // That all Sentinels have failed says less than why one of them did.
    this.#client.on('error', error => isOfSentinels(error) || this.link.noteFailure(error))
    this.#client.on('sentinelError', error => this.link.noteFailure(error))
    this.#client.on('ready', () => this.link.noteConnected())
    this.#client.on(
      'error',
      error => isOfEndedAttempt(error) && this.#client.once('end', () => this.#revive()),
    )
  }

  /**
   * ioredis ends a client for good if its detector learns of a failover while the client asks the Sentinels for the
   * master (seen in 6.0.0). Nobody has asked for that end.
   */
  #revive(): void {
    if (!this.#isClosed) this.#client.connect().catch(() => {}) // each call reports its own failure
  }

  /** Makes every later call throw this. */
  refuse(refusal: InvalidOptionError): void {
    this.#refusal = refusal
  }

  /** Throws the refusal, if there is one. */
  get client(): RedisClient {
    this.assertUsable()
    return this.#client
  }

  /** Throws like `client`. */
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

  /** All stores with this prefix share the memory. Under another prefix, the same name is another session. */
  memoryOf(prefix: string): SessionMemory {
    const memory = this.#memories.get(prefix) ?? new SessionMemory()
    this.#memories.set(prefix, memory)
    return memory
  }

  /** Asks once for all stores that share the connection, and again after the server could not be reached. */
  risks(): Promise<Risk[]> {
    this.#risks ??= findRisks(this.#client).catch(error => {
      this.#risks = undefined
      throw error
    })
    return this.#risks
  }

  /**
   * Throws `INVALID_OPTION` if several servers take writes to the same keys. A server that was not asked, or does not
   * answer, counts as the only one.
   */
  async assertOneWriter(): Promise<void> {
    this.assertUsable()
    if (this.#risks !== undefined) assertOneWriter(await this.#risks.catch(() => []))
  }

  /** Waits for answers under way, if the connection is ready. */
  async close(): Promise<void> {
    this.#isClosed = true
    const client = this.#client
    if (client.status === 'ready') {
      await endsWithin(QUIT_MS, client.quit()).catch(() => {
        // `disconnect` below closes it in any case.
      })
    }
    client.disconnect()
  }
}
