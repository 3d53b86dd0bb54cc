import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 4096

/** Random bytes, fetched in blocks: asking the system for each nonce takes longer than encrypting a small value. */
export class Nonces {
  readonly #pool = Buffer.alloc(POOL_BYTES)
  #used = POOL_BYTES

  /** Bytes never handed out before; valid until the next call. */
  next(bytes: number): Uint8Array {
    if (this.#used + bytes > POOL_BYTES) {
      randomFillSync(this.#pool)
      this.#used = 0
    }
    this.#used += bytes
    return this.#pool.subarray(this.#used - bytes, this.#used)
  }
}
