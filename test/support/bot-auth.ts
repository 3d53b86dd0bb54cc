import { pathToFileURL } from 'node:url'
import type { AuthenticationState } from '@whiskeysockets/baileys'

/** What an auth hook gives to a bot. */
export interface BotAuth {
  state: AuthenticationState
  saveCreds(): Promise<void>
  close?(): Promise<void>
}

export interface BotAuthEvents {
  /** Another process owns the session now: the socket has to end. */
  ownershipLost(error: Error): void
  /** What the module tells the test that has started the bot. */
  noted?(note: Json): void
}

/** Opens the stored session; called again after each restart that the server asks for. */
export type OpenAuth = (events: BotAuthEvents) => Promise<BotAuth>

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** Names the hook that opens a session in a way that another process understands. */
export interface AuthSource {
  /** Path or file URL of a module that has an `AuthModule` as its default export. */
  authModule: string
  authOptions: Json
}

// biome-ignore lint/suspicious/noExplicitAny: each module names the options that it takes
export type AuthModule = (options: any, events: BotAuthEvents) => Promise<BotAuth>

export async function loadAuth({ authModule, authOptions }: AuthSource): Promise<OpenAuth> {
  const url = authModule.startsWith('file:') ? authModule : pathToFileURL(authModule).href
  const { default: open }: { default: AuthModule } = await import(url)
  return events => open(authOptions, events)
}
