import { InvalidOptionError } from '../core/errors.js'
import type { RedisClient } from '../redis/client.js'

/** A hundred years: Redis keeps the mark for ever, unless it evicts it. */
const KEPT_MS = 100 * 365 * 24 * 60 * 60 * 1000

export interface CollectionMarkParts {
  /** Sends commands to Redis. */
  send: <T>(command: (client: RedisClient) => Promise<T>) => Promise<T>
  /** The key of the mark. */
  key: string
  /** The MongoDB collection of this store, with its database. */
  collection: string
}

/**
 * One Redis with one prefix is in front of one MongoDB collection. A store on another collection would bring its outbox
 * entries there, and acknowledge them. So the first store that writes leaves the name of its collection in Redis.
 */
export class CollectionMark {
  readonly #send: CollectionMarkParts['send']
  readonly #key: string
  readonly #collection: string
  #isFound = false
  #looking: Promise<void> | undefined

  constructor({ send, key, collection }: CollectionMarkParts) {
    this.#send = send
    this.#key = key
    this.#collection = collection
  }

  /** Whether Redis is known to have the mark of this store's collection. */
  get isFound(): boolean {
    return this.#isFound
  }

  /** Throws `INVALID_OPTION` if Redis has the mark of another collection. `undefined`: it was found before. */
  check(): Promise<void> | undefined {
    if (this.#isFound) return undefined
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  /** Leaves the mark, unless there is one. Throws like `check`. */
  async leave(): Promise<void> {
    await this.#send(client => client.set(this.#key, this.#collection, 'PX', KEPT_MS, 'NX'))
    await this.#look()
  }

  async #look(): Promise<void> {
    const mark = await this.#send(client => client.get(this.#key))
    if (mark !== null && mark !== this.#collection) throw this.#toRefusal(mark)
    this.#isFound = mark !== null
  }

  #toRefusal(mark: string): InvalidOptionError {
    return new InvalidOptionError(
      `This Redis and prefix are in front of the MongoDB collection "${mark.slice(0, 200)}", and this store names ` +
        `"${this.#collection}": its writes and those of the other collection would be mixed up. Give this store a ` +
        `"prefix" of its own. If you have moved the collection, stop all stores on the old one, and delete the key ` +
        `"${this.#key}" in Redis.`,
    )
  }
}
