// Preloaded: sockets of a bot that knows nothing of tests connect to WA_URL.
import { DEFAULT_CONNECTION_CONFIG } from '@whiskeysockets/baileys'

DEFAULT_CONNECTION_CONFIG.waWebSocketUrl = process.env.WA_URL
