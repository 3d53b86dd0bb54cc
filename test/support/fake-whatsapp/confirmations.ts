import { EventEmitter, once } from 'node:events'

/** Which messages each account has confirmed with a delivery receipt, that is: has decrypted and stored. */
export class Confirmations {
  readonly #ids = new Map<string, Set<string>>()
  readonly #changes = new EventEmitter()

  add(pn: string, messageId: string): void {
    this.#idsOf(pn).add(messageId)
    this.#changes.emit('added')
  }

  /** Resolves when the account has confirmed them all; after the time given, rejects with what is missing. */
  async all(pn: string, messageIds: string[], timeoutMs: number): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs)
    for (;;) {
      const missing = messageIds.filter(id => !this.#idsOf(pn).has(id))
      if (missing.length === 0) return
      await once(this.#changes, 'added', { signal }).catch(cause => {
        throw new Error(`${pn} has not confirmed ${missing.length} messages: ${missing.join(', ')}`, {
          cause,
        })
      })
    }
  }

  #idsOf(pn: string): Set<string> {
    const ids = this.#ids.get(pn) ?? new Set()
    this.#ids.set(pn, ids)
    return ids
  }
}
