import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Connection } from './connection.js'
import { attribute } from './nodes.js'

/** Names a stanza the way the client's answer to it does. */
export interface DeliveryKey {
  class: string
  id: string
  from: string
  participant: string | undefined
  /** Told apart for receipts only: one message may have several. */
  type: string | undefined
}

/**
 * What an account has been sent and has not answered yet. A stanza stays until the client's receipt or ack
 * for it arrives; whatever a lost connection left unanswered is sent again at the next login.
 */
export class Mailbox {
  readonly #unanswered = new Map<string, BinaryNode>()
  #connection: Connection | undefined
  #held: BinaryNode[] | undefined

  deliver(stanza: BinaryNode): void {
    if (this.#held && stanza.tag === 'message') {
      this.#held.push(stanza)
      return
    }
    const key = keyOf(stanza)
    this.#unanswered.delete(key) // a message encrypted anew goes to the end of the queue
    this.#unanswered.set(key, stanza)
    this.#connection?.send(stanza)
  }

  /** Sends all that is unanswered, marked as offline, and from now on whatever comes. */
  goOnline(connection: Connection): BinaryNode[] {
    const waiting = [...this.#unanswered.values()]
    for (const stanza of waiting) {
      connection.send({ ...stanza, attrs: { ...stanza.attrs, offline: '1' } })
    }
    this.#connection = connection
    return waiting
  }

  /** Does nothing when a newer connection has taken over. */
  goOffline(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined
  }

  answer(key: DeliveryKey): void {
    this.#unanswered.delete(nameOf(key))
  }

  hold(): void {
    this.#held ??= []
  }

  release(order: (held: BinaryNode[]) => BinaryNode[]): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const stanza of order(held)) this.deliver(stanza)
  }
}

function keyOf(stanza: BinaryNode): string {
  return nameOf({
    class: stanza.tag,
    id: attribute(stanza, 'id'),
    from: attribute(stanza, 'from'),
    participant: stanza.attrs.participant,
    type: stanza.tag === 'receipt' ? stanza.attrs.type : undefined,
  })
}

function nameOf(key: DeliveryKey): string {
  return [key.class, key.id, key.from, key.participant, key.type].join(' ')
}
