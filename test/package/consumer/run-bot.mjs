const silent = {
  level: 'silent',
  child: () => silent,
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
}
const say = (word, text = '') => process.stdout.write(`${word} ${text}\n`)
const RESTART_REQUIRED = 515

/** Pairs, obeys the restart, writes a key of its own when it is connected, and closes. */
export async function runBot(makeWASocket, useSqliteAuthState, url) {
  const { state, saveCreds, close } = await useSqliteAuthState({
    sessionId: 'bot',
    sqlite: { path: './auth.db', masterKey: '7a'.repeat(32), security: { enableCompression: true } },
  })
  const socket = makeWASocket({ auth: state, logger: silent, waWebSocketUrl: url })
  socket.ev.on('creds.update', saveCreds)
  socket.ev.on('connection.update', async ({ qr, connection, lastDisconnect }) => {
    if (qr) say('qr', qr)
    if (connection === 'open') {
      const found = await state.keys.get('device-list', ['mark'])
      await state.keys.set({ 'device-list': { mark: [...(found.mark ?? []), process.version] } })
      say('open', JSON.stringify(found.mark ?? []))
      await saveCreds()
      await socket.end(undefined)
      await close()
      process.exit()
    }
    if (connection !== 'close') return
    const status = lastDisconnect?.error?.output?.statusCode
    if (status !== RESTART_REQUIRED) return
    await close()
    await runBot(makeWASocket, useSqliteAuthState, url)
  })
}
