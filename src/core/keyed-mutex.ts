import { Mutex } from 'async-mutex'

/** Actions with the same key run one after the other. */
export class KeyedMutex {
  readonly #locks = new Map<string, Mutex>()

  async run<T>(key: string, action: () => Promise<T>): Promise<T> {
    const lock = this.#locks.get(key) ?? new Mutex()
    this.#locks.set(key, lock)
    try {
      return await lock.runExclusive(action)
    } finally {
      if (!lock.isLocked()) this.#locks.delete(key)
    }
  }
}
