import { setTimeout as sleep } from 'node:timers/promises'
import { type BotChild, spawnBot } from '../../test/support/bot-child.js'
import type { AccountId, FakeWhatsApp } from '../../test/support/fake-whatsapp/index.js'
import { jidOf, sessionOf, toAccount } from './accounts.js'
import type { StoreNote } from './store-note.js'
import type { TimedAuthOptions } from './timed-auth.js'

const AUTH_MODULE = new URL('./timed-auth.ts', import.meta.url).href
/** Long enough for a slow machine: nothing here waits without an event. */
const PATIENCE_MS = 60_000
/** Between two messages while a database is away: as people talk, and not as fast as bots can. */
const PAUSE_MS = 200

export interface CoupleOptions {
  server: FakeWhatsApp
  auth: Omit<TimedAuthOptions, 'sessionId'>
  /** The number of the couple, from 0. */
  number: number
  onQr: (sessionId: string, qr: string) => void
  /** For each message but those of `talkWhile`, whose number nobody knows beforehand. */
  onMessage: () => void
  onNote: (sessionId: string, note: StoreNote) => void
}

/** Two bots, each in a process of its own, that talk to each other. */
export class Couple {
  readonly #options: CoupleOptions
  readonly #accounts: readonly [AccountId, AccountId]
  #bots: [BotChild, BotChild] | undefined
  /** Texts that their addressee has decrypted. */
  readonly decrypted = new Set<string>()
  sent = 0
  /** From sending to decryption, in `talkWhile`. */
  slowestMs = 0
  qrCodes = 0

  constructor(options: CoupleOptions) {
    this.#options = options
    this.#accounts = [toAccount(2 * options.number), toAccount(2 * options.number + 1)]
  }

  get sessionIds(): string[] {
    return this.#accounts.map(sessionOf)
  }

  async start(): Promise<void> {
    this.#bots = [await this.#spawn(0), await this.#spawn(1)]
  }

  /** Sends so many messages, in turn each way, and waits for each to be decrypted. */
  async talk(count: number): Promise<void> {
    for (const n of this.#next(count)) {
      await this.#say(n)
      this.#options.onMessage()
    }
  }

  /** The same at leisure, for as long as they are to go on. */
  async talkWhile(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const beganMs = performance.now()
      for (const n of this.#next(1)) await this.#say(n)
      this.slowestMs = Math.max(this.slowestMs, performance.now() - beganMs)
      await sleep(PAUSE_MS)
    }
  }

  /** Kills the first bot while the second one is sending to it; what was sent meanwhile comes after its return. */
  async killWhileTalking(count: number): Promise<void> {
    const numbers = this.#next(count)
    const sending = numbers.map(n => this.#bot(1).send(jidOf(this.#account(0)), textOf(n)))
    await sending[0]
    await this.#bot(0).kill()
    const ids = await Promise.all(sending)
    this.#bots = [await this.#spawn(0), this.#bot(1)]
    // A receipt says that the message was decrypted, in whichever of the two lives.
    await this.#options.server.confirmed(this.#account(0), ids, PATIENCE_MS)
    for (const n of numbers) {
      this.decrypted.add(textOf(n))
      this.#options.onMessage()
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.#bot(0).stop(), this.#bot(1).stop()])
  }

  async #spawn(which: 0 | 1): Promise<BotChild> {
    const { server, auth, onQr, onNote } = this.#options
    const account = this.#account(which)
    const sessionId = sessionOf(account)
    const bot = spawnBot({
      server: {
        url: server.url,
        scan: (qr, id) => {
          this.qrCodes++
          onQr(sessionId, qr)
          server.scan(qr, id)
        },
      },
      account,
      authModule: AUTH_MODULE,
      authOptions: { ...auth, sessionId },
      onNote: note => onNote(sessionId, note as StoreNote),
    })
    await bot.opened
    return bot
  }

  #next(count: number): number[] {
    const first = this.sent
    this.sent += count
    return Array.from({ length: count }, (_, i) => first + i)
  }

  async #say(n: number): Promise<void> {
    const [sender, addressee] = n % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)
    await this.#bot(sender).send(jidOf(this.#account(addressee)), textOf(n))
    await this.#bot(addressee).received(textOf(n), PATIENCE_MS)
    this.decrypted.add(textOf(n))
  }

  #bot(which: 0 | 1): BotChild {
    const bot = this.#bots?.[which]
    if (!bot) throw new Error('the bots have not been started')
    return bot
  }

  #account(which: 0 | 1): AccountId {
    return this.#accounts[which]
  }
}

function textOf(n: number): string {
  return `message ${n + 1}`
}
