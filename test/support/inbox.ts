import { EventEmitter, once } from 'node:events'

export interface ReceivedMessage {
  id: string
  /** Where to answer. */
  chat: string
  text: string
}

/** The texts that a bot has received, in order. */
export class Inbox {
  readonly messages: ReceivedMessage[] = []
  readonly #arrivals = new EventEmitter()

  add(message: ReceivedMessage): void {
    this.messages.push(message)
    this.#arrivals.emit('message')
  }

  /** Resolves with the first message of this text, be it here already or still to come. */
  async received(text: string, timeoutMs: number): Promise<ReceivedMessage> {
    const signal = AbortSignal.timeout(timeoutMs)
    for (;;) {
      const found = this.messages.find(message => message.text === text)
      if (found) return found
      await once(this.#arrivals, 'message', { signal }).catch(cause => {
        const texts = this.messages.map(message => message.text).join(', ')
        throw new Error(`"${text}" has not come within ${timeoutMs} ms; received: ${texts}`, { cause })
      })
    }
  }
}
