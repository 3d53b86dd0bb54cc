// A bot on the installed package: node bot.mjs URL. It says what happens, a line each, and ends when it is connected.

import { useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'
import { makeWASocket } from '@whiskeysockets/baileys'
import { runBot } from './run-bot.mjs'

await runBot(makeWASocket, useSqliteAuthState, process.argv[2])
