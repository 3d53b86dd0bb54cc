import { LRUCache } from 'lru-cache'
import { KeyedMutex } from '../core/keyed-mutex.js'
import type { Logger } from '../core/logger.js'
import { lruByCount } from '../core/lru-by-count.js'
import type { ServerLink } from '../core/server-link.js'
import { SessionMemory } from '../core/store/session-memory.js'
import type { CommandReply, IndexDescription, MongoClient, MongoCollection, MongoDatabase } from './client.js'
import { checkCollection, checkIndexes } from './collection-check.js'
import { checkDirect } from './direct-connection.js'
import type { HeadDocument } from './documents.js'
import { ensureIndexes } from './indexes.js'
import { unlessHidden } from './mongo-errors.js'
import { ServerClock } from './server-clock.js'

/** Most heads remembered, which saves reading them before a change. */
const MAX_HEADS = 20_000
const SWEEP_EVERY_MS = 60 * 60 * 1000

export interface AuthCollectionParts {
  client: MongoClient
  link: ServerLink
  database: MongoDatabase
  documents: MongoCollection
  name: string
}

/** A collection, and what all stores of the process share about it. */
export class AuthCollection {
  readonly link: ServerLink
  readonly documents: MongoCollection
  readonly memory = new SessionMemory()
  /** Heads without an intent, as this process last saw them. They are guesses: only the compare-and-set decides. */
  readonly heads = new LRUCache<string, HeadDocument>(lruByCount(MAX_HEADS))
  readonly clock: ServerClock
  readonly #client: MongoClient
  readonly #database: MongoDatabase
  readonly #name: string
  readonly #turns = new KeyedMutex()
  #isSharded = false
  #indexing: Promise<void> = Promise.resolve()
  #preparing: Promise<void> | undefined
  #sweptAtMs = Number.NEGATIVE_INFINITY

  constructor({ client, link, database, documents, name }: AuthCollectionParts) {
    this.link = link
    this.#client = client
    this.#database = database
    this.#name = name
    this.documents = documents
    this.clock = new ServerClock(async () => {
      const reply = await this.#command({ hello: 1 })
      if (client.options.directConnection) checkDirect(reply)
      this.#isSharded = reply.msg === 'isdbgrid'
      return reply.localTime
    })
  }

  /** Whether a router (mongos) answers for several shards. */
  get isSharded(): boolean {
    return this.#isSharded
  }

  /** Keeps a head that a reader found, for the next change: it is a guess like that of an earlier change. */
  noteHead(sessionId: string, head: HeadDocument): void {
    const { v, fence } = this.heads.get(sessionId) ?? { v: -1, fence: 0 }
    const isNewer = head.v > v || (head.v === v && head.fence > fence)
    if (isNewer && head.intent === undefined) this.heads.set(sessionId, head)
  }

  /** Runs before every call. Works once, and again after the server could not be reached. */
  prepare(logger: Logger): Promise<void> {
    this.#preparing ??= this.#prepare(logger).catch(error => {
      this.#preparing = undefined
      throw error
    })
    return this.#preparing
  }

  /** Resolves when missing indexes have been built, which starts with the first call. */
  get indexing(): Promise<void> {
    return this.#indexing
  }

  async #prepare(logger: Logger): Promise<void> {
    // If a client's first command does not reach the server, it refuses all later ones: "Topology is closed".
    await this.link.connecting(() => this.#client.connect())
    const [indexes] = await Promise.all([this.#inspect(), this.clock.sync()])
    // No read or write needs the indexes, and building them may take hours.
    this.#indexing = ensureIndexes(this.documents, indexes, logger)
  }

  /**
   * Returns the existing indexes. Throws `INVALID_OPTION` if the collection is not safe for our documents. Writes
   * nothing.
   */
  async #inspect(): Promise<IndexDescription[]> {
    const filter = { name: this.#name }
    const [reply, indexes] = await Promise.all([
      unlessHidden(this.#command({ listCollections: 1, filter, cursor: {} }), {}),
      unlessHidden(this.documents.indexes(), []),
    ])
    checkCollection(this.#name, reply.cursor?.firstBatch[0] ?? {})
    checkIndexes(this.#name, indexes)
    return indexes
  }

  async ping(): Promise<void> {
    await this.#command({ ping: 1 })
  }

  /** Runs one change of a session at a time in this process: concurrent ones would only lose the compare-and-set. */
  inTurn<T>(sessionId: string, change: () => Promise<T>): Promise<T> {
    return this.#turns.run(sessionId, change)
  }

  /** Removes expired documents, for servers that do not. At most once an hour. */
  async sweep(nowMs: number): Promise<void> {
    if (performance.now() - this.#sweptAtMs < SWEEP_EVERY_MS) return
    this.#sweptAtMs = Number.POSITIVE_INFINITY // no other sweep begins while one runs
    try {
      await this.documents.deleteMany({ expiresAt: { $lte: new Date(nowMs) } })
    } finally {
      this.#sweptAtMs = performance.now()
    }
  }

  #command(command: object): Promise<CommandReply> {
    return this.#database.command(command, { readPreference: 'primary' })
  }
}
