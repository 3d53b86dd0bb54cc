// The same by require. Baileys itself is there as an ES module only.
const { useSqliteAuthState } = require('@luoarch/baileys-store-core/sqlite')

async function main() {
  const { makeWASocket } = await import('@whiskeysockets/baileys')
  const { runBot } = await import('./run-bot.mjs')
  await runBot(makeWASocket, useSqliteAuthState, process.argv[2])
}

main()
