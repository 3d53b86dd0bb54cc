import { type BotChild, spawnBot } from '../../test/support/bot-child.js'
import type { AccountId, FakeWhatsApp } from '../../test/support/fake-whatsapp/index.js'
import type { TimedAuthOptions } from './timed-auth.js'

const AUTH_MODULE = new URL('./timed-auth.ts', import.meta.url).href
/** Long enough for a slow machine: nothing here waits without an event. */
const PATIENCE_MS = 60_000

export interface CoupleOptions {
  server: FakeWhatsApp
  auth: Omit<TimedAuthOptions, 'sessionId'>
  /** The number of the couple, from 0. */
  number: number
  onQr: (sessionId: string, qr: string) => void
  onMessage: () => void
}

/** Two bots, each in a process of its own, that talk to each other. */
export class Couple {
  readonly #options: CoupleOptions
  readonly #accounts: readonly [AccountId, AccountId]
  #bots: [BotChild, BotChild] | undefined
  /** Texts that their addressee has decrypted. */
  readonly decrypted = new Set<string>()
  qrCodes = 0
  undecryptable = 0

  constructor(options: CoupleOptions) {
    this.#options = options
    this.#accounts = [toAccount(2 * options.number), toAccount(2 * options.number + 1)]
  }

  async start(): Promise<void> {
    this.#bots = [await this.#spawn(0), await this.#spawn(1)]
  }

  /** Sends so many messages, in turn each way, and waits for each to be decrypted. */
  async talk(from: number, to: number): Promise<void> {
    for (let n = from; n < to; n++) {
      const sender = n % 2 === 0 ? 0 : 1
      await this.#bot(sender).send(jidOf(this.#accounts[1 - sender]), textOf(n))
      await this.#expectText(1 - sender, textOf(n))
    }
  }

  /** Kills the first bot while the second one is sending to it; what was sent meanwhile comes after its return. */
  async killWhileTalking(from: number, to: number): Promise<void> {
    const sending = []
    for (let n = from; n < to; n++) sending.push(this.#bot(1).send(jidOf(this.#accounts[0]), textOf(n)))
    await sending[0]
    await this.#retire(0, bot => bot.kill())
    await Promise.all(sending)
    const returned = await this.#spawn(0)
    this.#bots = [returned, this.#bot(1)]
    for (let n = from; n < to; n++) await this.#expectText(0, textOf(n))
  }

  async stop(): Promise<void> {
    await this.#retire(0, bot => bot.stop())
    await this.#retire(1, bot => bot.stop())
  }

  async #spawn(which: 0 | 1): Promise<BotChild> {
    const { server, auth, onQr } = this.#options
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
    })
    await bot.opened
    return bot
  }

  async #expectText(which: number, text: string): Promise<void> {
    if (this.decrypted.has(text)) return
    await this.#bot(which).received(text, PATIENCE_MS)
    this.decrypted.add(text)
    this.#options.onMessage()
  }

  /** Ends a bot one way or another, and keeps the count of what it has received until then. */
  async #retire(which: 0 | 1, end: (bot: BotChild) => Promise<void>): Promise<void> {
    const bot = this.#bot(which)
    await end(bot)
    this.undecryptable += bot.undecryptable.length
    for (const { text } of bot.inbox) {
      if (this.decrypted.has(text)) continue
      this.decrypted.add(text)
      this.#options.onMessage()
    }
  }

  #bot(which: number): BotChild {
    const bot = this.#bots?.[which]
    if (!bot) throw new Error('the bots have not been started')
    return bot
  }

  #account(which: 0 | 1): AccountId {
    return this.#accounts[which]
  }
}

/** Numbers that nobody has: 555-01xx is reserved for fiction. */
function toAccount(n: number): AccountId {
  return { pn: `1202555${String(100 + n).padStart(4, '0')}`, lid: `1000000000${String(n).padStart(5, '0')}` }
}

function sessionOf({ lid }: AccountId): string {
  return `bot-${Number(lid.slice(-5)) + 1}`
}

function jidOf(account: AccountId | undefined): string {
  return `${account?.pn}@s.whatsapp.net`
}

function textOf(n: number): string {
  return `message ${n + 1}`
}
