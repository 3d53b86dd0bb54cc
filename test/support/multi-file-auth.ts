import { useMultiFileAuthState } from '@whiskeysockets/baileys'
import type { BotAuth } from './bot-auth.js'

/** Baileys' own store, to prove the fake server without ours. */
export default function openMultiFileAuth({ folder }: { folder: string }): Promise<BotAuth> {
  return useMultiFileAuthState(folder)
}
