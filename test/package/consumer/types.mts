// Compiled against the packed declarations: `state` fits both of Baileys' packages without a cast.
import {
  type AuthStore,
  type ResilienceConfig,
  type SecurityConfig,
  StoreError,
  type TtlConfig,
} from '@luoarch/baileys-store-core'
import { createSqliteStore, useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'
import { type AuthenticationState, makeWASocket } from '@whiskeysockets/baileys'
import * as baileys from 'baileys'

export async function main(): Promise<void> {
  const ttl: TtlConfig = { defaultTtl: 3600 }
  const security: SecurityConfig = { enableCompression: true }
  const resilience: ResilienceConfig = { maxRetries: 1 }
  const store = await createSqliteStore({ path: './auth.db', ttl, security, resilience })
  const { state, saveCreds, close } = await useSqliteAuthState({ sessionId: 'bot', store })
  const one: AuthenticationState = state
  const other: baileys.AuthenticationState = state
  const socket = makeWASocket({ auth: one })
  baileys.makeWASocket({ auth: other })
  makeWASocket({ auth: state })
  socket.ev.on('creds.update', saveCreds)
  const { session } = await state.keys.get('session', ['session'])
  await state.keys.set({ session: { a: session ?? null }, 'lid-mapping': { b: 'c' } })
  const general: AuthStore = store
  const result = await general.set('bot', { keys: { session: { a: null } } }).catch((error: unknown) => {
    if (error instanceof StoreError && error.code === 'FENCED') return null
    throw error
  })
  process.stdout.write(`${result?.version} ${result?.durability}\n`)
  await close()
}
