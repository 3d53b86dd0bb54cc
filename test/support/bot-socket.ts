import { makeWASocket, proto, type WAMessage, type WASocket } from '@whiskeysockets/baileys'
import type { BotAuth } from './bot-auth.js'
import type { ReceivedMessage } from './inbox.js'
import { silentLogger } from './silence.js'

export interface SocketListener {
  qr(qr: string): void
  open(): void
  closed(statusCode: number | undefined): void
  saving(saved: Promise<void>): void
  received(message: ReceivedMessage): void
  undecryptable(reason: string): void
  /** A message of ours that a receiver asks for again. */
  sentMessage(id: string): proto.IMessage | undefined
}

/** A real socket whose events go to the listener. */
export function openSocket(url: string, auth: BotAuth, listener: SocketListener): WASocket {
  const socket = makeWASocket({
    auth: auth.state,
    waWebSocketUrl: url,
    logger: silentLogger,
    shouldSyncHistoryMessage: () => false,
    getMessage: async key => listener.sentMessage(key.id ?? ''),
  })
  socket.ev.on('creds.update', () => listener.saving(auth.saveCreds()))
  socket.ev.on('messages.upsert', ({ messages }) => {
    for (const message of messages) sortMessage(message, listener)
  })
  socket.ev.on('connection.update', ({ qr, connection, lastDisconnect }) => {
    if (qr) listener.qr(qr)
    if (connection === 'open') listener.open()
    if (connection === 'close') listener.closed(statusCodeOf(lastDisconnect?.error))
  })
  return socket
}

function sortMessage(
  { key, message, messageStubType, messageStubParameters }: WAMessage,
  to: SocketListener,
) {
  if (messageStubType === proto.WebMessageInfo.StubType.CIPHERTEXT) {
    to.undecryptable(messageStubParameters?.[0] ?? 'unknown')
  }
  const text = message?.conversation ?? message?.extendedTextMessage?.text
  if (text && !key.fromMe) to.received({ id: key.id ?? '', chat: key.remoteJid ?? '', text })
}

/** Baileys closes with Boom errors, which carry the code that tells 440 from 515. */
function statusCodeOf(error: unknown): number | undefined {
  return (error as { output?: { statusCode?: number } } | undefined)?.output?.statusCode
}
