import { setTimeout } from 'node:timers/promises'
import {
  type AuthStateHandle,
  type SqliteAuthStore,
  useSqliteAuthState,
} from '@luoarch/baileys-store-core/sqlite'
import { DisconnectReason, makeWASocket, type WASocket } from '@whiskeysockets/baileys'
import qrcode from 'qrcode-terminal'

let [failures, isStopping] = [0, false]
let auth: AuthStateHandle<SqliteAuthStore>, socket: WASocket | undefined

/** Baileys types the error without its status. */
type WithStatus = { output?: { statusCode: number } }

async function open(): Promise<void> {
  auth = await useSqliteAuthState({
    sessionId: 'my-bot',
    sqlite: { path: './auth.db', masterKey: process.env.BAILEYS_MASTER_KEY, security: { logger: console } },
    onOwnershipLost: () => stop('another process has opened the session'),
  })
}

function connect(): void {
  socket = makeWASocket({ auth: auth.state })
  socket.ev.on('creds.update', auth.saveCreds) // your own listeners go here, as for 'messages.upsert'
  socket.ev.on('connection.update', ({ connection, qr, lastDisconnect }) => {
    if (qr) qrcode.generate(qr, { small: true }) // scan it with WhatsApp
    if (connection === 'open') failures = 0
    if (connection === 'close')
      goOn((lastDisconnect?.error as WithStatus | undefined)?.output?.statusCode).catch(stop)
  })
}

/** 440 and 403 end the bot, 401 (unlinked on the phone) pairs it anew, 515 is the restart that follows a pairing. */
async function goOn(reason: number | undefined): Promise<void> {
  if (isStopping) return
  if (reason === DisconnectReason.connectionReplaced) return stop('another process uses the session')
  if (reason === DisconnectReason.forbidden) return stop('WhatsApp has blocked the account')
  if (reason === DisconnectReason.loggedOut) {
    await auth.remove()
    await open()
  } else if (reason !== DisconnectReason.restartRequired) {
    await setTimeout(Math.min(1000 * 2 ** failures++, 60_000) * Math.random())
  }
  if (!isStopping) connect()
}

async function stop(reason?: unknown): Promise<void> {
  if (isStopping) return
  isStopping = true
  if (reason) console.error('The bot stops:', reason)
  socket?.end(undefined)
  await auth?.close()
  process.exit(reason instanceof Error ? 1 : 0)
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop())
open().then(connect).catch(stop)
