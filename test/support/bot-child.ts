import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { BotOptions } from './bot.js'
import type { AuthSource } from './bot-auth.js'
import type { BotCommand, BotEvent, BotProcessOptions } from './bot-protocol.js'
import { type Deferred, deferred } from './deferred.js'
import { Inbox, type ReceivedMessage } from './inbox.js'
import { TYPESCRIPT } from './typescript.js'

const PROGRAM = fileURLToPath(new URL('./bot-process.ts', import.meta.url))

export type BotChildOptions = Pick<BotOptions, 'server' | 'account' | 'onNote'> & AuthSource

/** Starts a bot in a process of its own. `opened` tells when it is connected. */
export function spawnBot(options: BotChildOptions): BotChild {
  return new BotChild(options)
}

/** The parent's end of a bot process. */
export class BotChild {
  qrCount = 0
  readonly undecryptable: string[] = []

  readonly #options: BotChildOptions
  readonly #process: ChildProcess
  readonly #inbox = new Inbox()
  readonly #opened = deferred<void>()
  readonly #closed = deferred<number | undefined>()
  readonly #ownershipLost = deferred<Error>()
  readonly #exited = deferred<void>()
  readonly #sending = new Map<number, Deferred<string>>()
  #lastTicket = 0

  constructor(options: BotChildOptions) {
    this.#options = options
    const { server, account, authModule, authOptions } = options
    const argument: BotProcessOptions = { url: server.url, account, authModule, authOptions }
    this.#process = fork(PROGRAM, [JSON.stringify(argument)], { execArgv: TYPESCRIPT })
    this.#process.on('message', (event: BotEvent) => this.#handle(event))
    this.#process.on('exit', () => this.#handleExit())
  }

  get inbox(): readonly ReceivedMessage[] {
    return this.#inbox.messages
  }

  /** Rejects when the bot could not connect. */
  get opened(): Promise<void> {
    return this.#opened.promise
  }

  /** The code with which the connection ended; undefined after `stop`. Rejects after `kill`. */
  get closed(): Promise<number | undefined> {
    return this.#closed.promise
  }

  get ownershipLost(): Promise<Error> {
    return this.#ownershipLost.promise
  }

  received(text: string, timeoutMs = 5_000): Promise<ReceivedMessage> {
    return this.#inbox.received(text, timeoutMs)
  }

  /** Resolves with the message's id when the server has accepted it and Baileys has stored the new state. */
  send(jid: string, text: string): Promise<string> {
    const ticket = ++this.#lastTicket
    const sent = deferred<string>()
    this.#sending.set(ticket, sent)
    this.#command({ command: 'send', ticket, jid, text })
    return sent.promise
  }

  /** Ends the connection and closes the session; the process is gone when this resolves. */
  async stop(): Promise<void> {
    this.#command({ command: 'stop' })
    await this.#exited.promise
  }

  /** SIGKILL: the process has no chance to finish anything. It is gone when this resolves. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exited.promise
  }

  #command(command: BotCommand): void {
    if (this.#process.connected) this.#process.send(command)
  }

  #handle(event: BotEvent): void {
    switch (event.event) {
      case 'qr':
        this.qrCount++
        this.#options.server.scan(event.qr, this.#options.account)
        break
      case 'open':
        this.#opened.resolve()
        break
      case 'received':
        this.#inbox.add(event.message)
        break
      case 'undecryptable':
        this.undecryptable.push(event.reason)
        break
      case 'note':
        this.#options.onNote?.(event.note)
        break
      case 'sent':
        this.#settle(event.ticket)?.resolve(event.messageId)
        break
      case 'not-sent':
        this.#settle(event.ticket)?.reject(new Error(event.reason))
        break
      case 'ownership-lost':
        this.#ownershipLost.resolve(new Error(event.reason))
        break
      case 'failed':
        this.#opened.reject(new Error(event.reason))
        break
      case 'closed':
        this.#closed.resolve(event.statusCode)
    }
  }

  #settle(ticket: number): Deferred<string> | undefined {
    const sent = this.#sending.get(ticket)
    this.#sending.delete(ticket)
    return sent
  }

  #handleExit(): void {
    const gone = new Error('the bot process is gone')
    this.#opened.reject(gone)
    this.#closed.reject(gone)
    for (const sent of this.#sending.values()) sent.reject(gone)
    this.#exited.resolve()
  }
}
