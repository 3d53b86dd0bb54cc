import { type Bot, startBot } from './bot.js'
import { type AuthSource, loadAuth } from './bot-auth.js'
import { type BotChild, spawnBot } from './bot-child.js'
import {
  type AccountId,
  type FakeWhatsApp,
  type ServerOptions,
  startFakeWhatsApp,
} from './fake-whatsapp/index.js'

/** A fake server and the bots on it, whose sessions are all kept in one kind of store. */
export interface Scene {
  server: FakeWhatsApp
  /** The session is named after the account, unless told otherwise. */
  start(account: AccountId, session?: string): Promise<Bot>
  /** The same, in a process of its own. */
  spawn(account: AccountId, session?: string): BotChild
  /** Stops what was started. Rejects when the server or a bot's store has failed on the way. */
  end(): Promise<void>
}

export async function setScene(
  authOf: (session: string) => AuthSource,
  serverOptions?: ServerOptions,
): Promise<Scene> {
  const server = await startFakeWhatsApp(serverOptions)
  const bots: Bot[] = []
  const children: BotChild[] = []
  return {
    server,
    async start(account, session = account.pn) {
      const bot = await startBot({ server, account, auth: await loadAuth(authOf(session)) })
      bots.push(bot)
      return bot
    },
    spawn(account, session = account.pn) {
      const child = spawnBot({ server, account, ...authOf(session) })
      children.push(child)
      return child
    },
    async end() {
      await Promise.all([...bots.map(bot => bot.stop()), ...children.map(child => child.kill())])
      await server.close()
      const authErrors = bots.flatMap(bot => bot.authErrors)
      if (authErrors.length > 0) throw new AggregateError(authErrors, 'the auth hook has failed')
    },
  }
}
