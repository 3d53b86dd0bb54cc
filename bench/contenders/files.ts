import { join } from 'node:path'
import { makeCacheableSignalKeyStore, useMultiFileAuthState } from '@whiskeysockets/baileys'
import { silentLogger } from '../../test/support/silence.js'
import { CREDS } from '../values.js'
import type { Contender } from './bot.js'
import type { Place } from './place.js'

/** Baileys' own store, a file for each key, as it is or with the cache that Baileys offers for it. */
export async function createFiles(name: 'files' | 'files, cached', { folder }: Place): Promise<Contender> {
  return {
    name,
    async open(sessionId) {
      const { state, saveCreds } = await useMultiFileAuthState(join(folder, name, sessionId))
      Object.assign(state.creds, CREDS)
      const keys = name === 'files' ? state.keys : makeCacheableSignalKeyStore(state.keys, silentLogger)
      return {
        get: async ids => await keys.get('session', ids),
        set: async written => await keys.set(written as never),
        saveCreds,
        close: async () => {},
      }
    },
    close: async () => {},
  }
}
