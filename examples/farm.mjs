/**
 * All paired bots of one Redis in one process, which hands them over in a rolling restart: node farm.mjs
 *
 * REDIS_URL says where Redis is, redis://localhost:6379 by default. BAILEYS_MASTER_KEY, 64 hex characters, encrypts.
 * From a clone: npm run build, then node examples/farm.mjs
 *
 * To restart: start the new process, then end the old one (SIGTERM). A session is open in one process at a time, so
 * WhatsApp never sees two connections of it (440). What is sent in between waits at WhatsApp.
 */
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { maskSessionId } from '@luoarch/baileys-store-core'
import { createRedisStore, useRedisAuthState } from '@luoarch/baileys-store-core/redis'
import { DisconnectReason, makeWASocket } from '@whiskeysockets/baileys'

const OPENINGS_AT_ONCE = 20
/** How often this process looks for sessions that nobody has open. */
const LOOK_EVERY_MS = 2000

const store = await createRedisStore({
  redisUrl: process.env.REDIS_URL ?? 'redis://localhost:6379',
  masterKey: process.env.BAILEYS_MASTER_KEY,
  security: { logger: console },
})
/** By session. A bot whose account is blocked or used elsewhere stays here, so that it is not opened again. */
const bots = new Map()
/** Why a session was not opened the last time, so that the log tells it once. */
const complaints = new Map()
const stopping = new AbortController()
setMaxListeners(0, stopping.signal) // each opening that waits has one

/** At boot, all sessions. Later those of a process that has ended, and those that were paired meanwhile. */
async function openAll() {
  const sessions = store.sessions({ pairedOnly: true })[Symbol.asyncIterator]()
  const openInTurn = async () => {
    for (;;) {
      const { done, value } = await sessions.next()
      if (done || stopping.signal.aborted) return
      const isOpenElsewhere = value.owner?.leaseEndsAt != null
      if (!isOpenElsewhere && !bots.has(value.sessionId)) await open(value.sessionId)
    }
  }
  await Promise.all(Array.from({ length: OPENINGS_AT_ONCE }, openInTurn))
}

async function open(sessionId) {
  const bot = {
    sessionId,
    name: maskSessionId(sessionId),
    auth: undefined,
    socket: undefined,
    failures: 0,
    isLeft: false,
  }
  bots.set(sessionId, bot)
  try {
    bot.auth = await useRedisAuthState({
      sessionId,
      store,
      ownership: 'exclusive',
      owner: process.env.WORKER_NAME, // by default the host and the process
      signal: stopping.signal,
      onOwnershipLost: error => leave(bot, error.message).then(() => bots.delete(sessionId)),
    })
    complaints.delete(sessionId)
    connect(bot)
  } catch (error) {
    bots.delete(sessionId)
    if (stopping.signal.aborted || complaints.get(sessionId) === error.code) return
    complaints.set(sessionId, error.code)
    console.error(`${bot.name}: ${error.message}`)
  }
}

function connect(bot) {
  bot.socket = makeWASocket({ auth: bot.auth.state })
  bot.socket.ev.on('creds.update', bot.auth.saveCreds)
  bot.socket.ev.on('messages.upsert', ({ messages }) => {
    for (const { key, message } of messages) if (message && !key.fromMe) answer(bot, message)
  })
  bot.socket.ev.on('connection.update', ({ connection, lastDisconnect }) => {
    if (connection === 'open') bot.failures = 0
    if (connection === 'close') {
      const reason = lastDisconnect?.error?.output?.statusCode
      goOn(bot, reason).catch(error => console.error(`${bot.name}: ${error.message}`))
    }
  })
}

/** Your bot's work goes here. */
function answer(bot, message) {
  const text = message.conversation ?? message.extendedTextMessage?.text
  if (text) console.log(`${bot.name} got: ${text}`)
}

async function goOn(bot, reason) {
  if (bot.isLeft) return
  if (reason === DisconnectReason.connectionReplaced) return leave(bot, 'another program uses the account')
  if (reason === DisconnectReason.forbidden) return leave(bot, 'WhatsApp has blocked the account')
  if (reason === DisconnectReason.loggedOut) {
    bot.isLeft = true
    await bot.auth.remove() // it has to be paired again, with a QR code
    bots.delete(bot.sessionId)
    return
  }
  if (reason !== DisconnectReason.restartRequired) {
    const pauseMs = Math.min(1000 * 2 ** bot.failures++, 60_000) * Math.random()
    await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => {})
  }
  if (!bot.isLeft && !stopping.signal.aborted) connect(bot)
}

async function leave(bot, reason) {
  if (bot.isLeft) return
  bot.isLeft = true
  if (reason) console.error(`${bot.name}: ${reason}`)
  bot.socket?.end(undefined) // before `close`, which lets the next process in
  await bot.auth?.close()
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort())
while (!stopping.signal.aborted) {
  await openAll()
  await sleep(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {}) // a signal wakes it
}
await Promise.all([...bots.values()].map(bot => leave(bot)))
await store.close()
process.exit() // Baileys' timers would keep it for a while
