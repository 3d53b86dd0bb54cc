import type { AuthSource, Json } from './bot-auth.js'
import type { AccountId } from './fake-whatsapp/index.js'
import type { ReceivedMessage } from './inbox.js'

/** The first argument of the bot process. */
export interface BotProcessOptions extends AuthSource {
  url: string
  account: AccountId
}

export type BotCommand = { command: 'send'; ticket: number; jid: string; text: string } | { command: 'stop' }

export type BotEvent =
  | { event: 'qr'; qr: string }
  | { event: 'open' }
  | { event: 'received'; message: ReceivedMessage }
  | { event: 'undecryptable'; reason: string }
  | { event: 'note'; note: Json }
  | { event: 'sent'; ticket: number; messageId: string }
  | { event: 'not-sent'; ticket: number; reason: string }
  | { event: 'ownership-lost'; reason: string }
  | { event: 'failed'; reason: string }
  | { event: 'closed'; statusCode: number | undefined }
