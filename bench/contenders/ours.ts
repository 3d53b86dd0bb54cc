import type { AuthStore, CommonOptions } from '@luoarch/baileys-store-core'
import type { AuthStateHandle } from '../../src/core/hook/auth-state.js'
import type { ContenderName } from '../figures.js'
import { CREDS } from '../values.js'
import type { Bot, Contender } from './bot.js'
import { NO_CACHE, WITH_CACHE } from './cache.js'
import { MASTER_KEY } from './place.js'

export type OurName = Exclude<ContenderName, 'raw' | 'peer'>

export function toOptions(name: OurName): CommonOptions {
  const isEncrypted = name === 'encrypted' || name === 'compressed' || name === 'cached'
  return {
    ...(name === 'cached' ? WITH_CACHE : NO_CACHE),
    ...(isEncrypted && { masterKey: MASTER_KEY }),
    security: { enableCompression: name === 'compressed' },
  }
}

/**
 * Over one of our hooks. A session that stays open holds the connection, as in a process with several bots: each
 * further one shares it.
 */
export async function createOurs<S extends AuthStore>(
  name: OurName,
  open: (sessionId: string) => Promise<AuthStateHandle<S>>,
  more: { settle?: (store: S) => Promise<unknown>; evict?: Contender['evict'] } = {},
): Promise<Contender> {
  const keeper = await open(`${name}-keeper`)
  const { settle, evict } = more
  return {
    name,
    ...(evict && { evict }),
    async open(sessionId) {
      const { state, saveCreds, store, close } = await open(sessionId)
      Object.assign(state.creds, CREDS)
      const bot: Bot = {
        get: ids => state.keys.get('session', ids) as Promise<object>,
        set: keys => state.keys.set(keys as never) as Promise<void>,
        saveCreds,
        close,
      }
      return settle ? { ...bot, settle: () => settle(store) } : bot
    },
    close: () => keeper.close(),
  }
}
