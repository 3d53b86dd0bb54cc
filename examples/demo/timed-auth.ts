/** The auth state of one bot, with the time that each operation of it takes. Loaded by the bot's process. */
import { appendFileSync } from 'node:fs'
import { HybridAuthStore } from '@luoarch/baileys-store-core/hybrid'
import type { BotAuth, BotAuthEvents } from '../../test/support/bot-auth.js'
import { type Database, openAuth } from './database.js'
import { noteChanges } from './store-note.js'

export interface TimedAuthOptions {
  sessionId: string
  database: Database
  masterKey: string
  /** A line of JSON, `["keys.get", milliseconds]`, is added for each operation. */
  timesFile: string
}

export default async function openTimedAuth(
  options: TimedAuthOptions,
  events: BotAuthEvents,
): Promise<BotAuth> {
  const { sessionId, database, masterKey, timesFile } = options
  const auth = await openAuth(database, sessionId, masterKey, events)
  const time =
    <A extends unknown[], R>(name: string, operation: (...input: A) => Promise<R>) =>
    async (...input: A): Promise<R> => {
      const startMs = performance.now()
      const result = await operation(...input)
      appendFileSync(timesFile, `${JSON.stringify([name, performance.now() - startMs])}\n`)
      return result
    }
  const stopNoting =
    auth.store instanceof HybridAuthStore ? noteChanges(auth.store, note => events.noted?.(note)) : undefined
  const { keys } = auth.state
  const timed = {
    ...keys,
    get: time('keys.get', keys.get) as typeof keys.get,
    set: time('keys.set', keys.set),
  }
  return {
    state: { creds: auth.state.creds, keys: timed },
    saveCreds: time('saveCreds', auth.saveCreds),
    close() {
      stopNoting?.()
      return auth.close()
    },
  }
}
