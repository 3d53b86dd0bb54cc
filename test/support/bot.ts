import { DisconnectReason, generateMessageIDV2, type proto, type WASocket } from '@whiskeysockets/baileys'
import type { BotAuth, Json, OpenAuth } from './bot-auth.js'
import { openSocket } from './bot-socket.js'
import { deferred } from './deferred.js'
import type { AccountId } from './fake-whatsapp/index.js'
import { Inbox, type ReceivedMessage } from './inbox.js'

export interface BotOptions {
  /** The part of the fake server that a bot needs. */
  server: { url: string; scan(qr: string, account: AccountId): void }
  account: AccountId
  auth: OpenAuth
  onReceived?: (message: ReceivedMessage) => void
  onUndecryptable?: (reason: string) => void
  onNote?: (note: Json) => void
}

/** Opens the session and connects; pairs if the session is new. Rejects when the connection is refused. */
export async function startBot(options: BotOptions): Promise<Bot> {
  const bot = new Bot(options)
  await bot.start()
  return bot
}

/** A real Baileys socket on a stored session. */
export class Bot {
  /** QR codes shown: none, when the session was found. */
  qrCount = 0
  /** Restarts that the server asked for (515). */
  restarts = 0
  /** Why messages could not be decrypted; one entry each time. */
  readonly undecryptable: string[] = []
  /** What the auth hook's `saveCreds` and `close` have failed with. */
  readonly authErrors: unknown[] = []

  readonly #options: BotOptions
  readonly #inbox = new Inbox()
  readonly #sent = new Map<string, proto.IMessage>()
  readonly #saves = new Set<Promise<void>>()
  readonly #opened = deferred<void>()
  readonly #closed = deferred<number | undefined>()
  readonly #ownershipLost = deferred<Error>()
  #auth: BotAuth | undefined
  #socket: WASocket | undefined

  constructor(options: BotOptions) {
    this.#options = options
  }

  get inbox(): readonly ReceivedMessage[] {
    return this.#inbox.messages
  }

  /** The code with which the connection ended (440: replaced); undefined after `stop`. */
  get closed(): Promise<number | undefined> {
    return this.#closed.promise
  }

  /** Resolves when the auth hook says that the session has another owner; the connection ends then. */
  get ownershipLost(): Promise<Error> {
    return this.#ownershipLost.promise
  }

  get socket(): WASocket {
    if (!this.#socket) throw new Error('the bot has not connected yet')
    return this.#socket
  }

  async start(): Promise<void> {
    await this.#connect().catch(error => this.#fail(error))
    await this.#opened.promise
  }

  received(text: string, timeoutMs = 5_000): Promise<ReceivedMessage> {
    return this.#inbox.received(text, timeoutMs)
  }

  /** Resolves with the message's id when the server has accepted it and Baileys has stored the new state. */
  async send(jid: string, text: string): Promise<string> {
    const messageId = generateMessageIDV2(this.socket.user?.id)
    this.#sent.set(messageId, { extendedTextMessage: { text } })
    const accepted = this.socket.waitForMessage(messageId)
    await Promise.all([this.socket.sendMessage(jid, { text }, { messageId }), accepted])
    return messageId
  }

  /** Ends the connection and closes the session, like a bot that is shut down in good order. */
  async stop(): Promise<void> {
    await this.socket.end(undefined)
    await this.closed
  }

  async #connect(): Promise<void> {
    const auth = await this.#options.auth({
      ownershipLost: error => this.#loseOwnership(error),
      noted: note => this.#options.onNote?.(note),
    })
    this.#auth = auth
    this.#socket = openSocket(this.#options.server.url, auth, {
      qr: qr => this.#showQr(qr),
      open: () => this.#opened.resolve(),
      closed: statusCode => this.#leave(statusCode).catch(error => this.#fail(error)),
      saving: saved => this.#trackSave(saved),
      received: message => this.#receive(message),
      undecryptable: reason => this.#countUndecryptable(reason),
      sentMessage: id => this.#sent.get(id),
    })
  }

  async #leave(statusCode: number | undefined): Promise<void> {
    await this.#closeAuth()
    if (statusCode === DisconnectReason.restartRequired) {
      this.restarts++
      await this.#connect()
      return
    }
    this.#opened.reject(new Error(`the connection closed with ${statusCode} before it was open`))
    this.#closed.resolve(statusCode)
  }

  async #closeAuth(): Promise<void> {
    await Promise.all(this.#saves)
    await this.#auth?.close?.().catch(error => this.authErrors.push(error))
  }

  #fail(error: Error): void {
    this.#opened.reject(error)
    this.#closed.resolve(undefined)
  }

  #showQr(qr: string): void {
    this.qrCount++
    this.#options.server.scan(qr, this.#options.account)
  }

  #receive(message: ReceivedMessage): void {
    this.#inbox.add(message)
    this.#options.onReceived?.(message)
  }

  #countUndecryptable(reason: string): void {
    this.undecryptable.push(reason)
    this.#options.onUndecryptable?.(reason)
  }

  #trackSave(saved: Promise<void>): void {
    const done = saved
      .catch(error => {
        this.authErrors.push(error)
      })
      .finally(() => this.#saves.delete(done))
    this.#saves.add(done)
  }

  #loseOwnership(error: Error): void {
    this.#ownershipLost.resolve(error)
    void this.#socket?.end(error)
  }
}
