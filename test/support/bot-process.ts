/** One bot in a process of its own, so that it can be killed. Started by `bot-child.ts`, which it obeys. */
import { Bot } from './bot.js'
import { loadAuth } from './bot-auth.js'
import type { BotCommand, BotEvent, BotProcessOptions } from './bot-protocol.js'
import { quietLibsignal } from './silence.js'

quietLibsignal()
process.on('disconnect', () => process.exit())

const options: BotProcessOptions = JSON.parse(process.argv[2] ?? '')
const bot = new Bot({
  server: { url: options.url, scan: qr => tell({ event: 'qr', qr }) },
  account: options.account,
  auth: await loadAuth(options),
  onReceived: message => tell({ event: 'received', message }),
  onUndecryptable: reason => tell({ event: 'undecryptable', reason }),
  onNote: note => tell({ event: 'note', note }),
})

process.on('message', (command: BotCommand) => {
  if (command.command === 'send') void send(command.ticket, command.jid, command.text)
  else void bot.stop()
})
void bot.ownershipLost.then(error => tell({ event: 'ownership-lost', reason: error.message }))
void bot.closed.then(statusCode => exitAfter({ event: 'closed', statusCode }))

try {
  await bot.start()
  tell({ event: 'open' })
} catch (error) {
  tell({ event: 'failed', reason: String(error) })
}

async function send(ticket: number, jid: string, text: string): Promise<void> {
  try {
    tell({ event: 'sent', ticket, messageId: await bot.send(jid, text) })
  } catch (error) {
    tell({ event: 'not-sent', ticket, reason: String(error) })
  }
}

function tell(event: BotEvent): void {
  process.send?.(event)
}

/** Baileys' timers would keep the process alive. */
function exitAfter(lastWords: BotEvent): void {
  process.send?.(lastWords, () => process.exit())
}
