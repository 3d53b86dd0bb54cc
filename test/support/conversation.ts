import type { Bot } from './bot.js'
import type { BotChild } from './bot-child.js'
import type { AccountId, Addressing } from './fake-whatsapp/index.js'

export type AnyBot = Bot | BotChild

export const ALICE: AccountId = { pn: '15550000001', lid: '100000000000001' }
export const BOB: AccountId = { pn: '15550000002', lid: '100000000000002' }

export function jidOf({ pn, lid }: AccountId, addressing: Addressing = 'pn'): string {
  return addressing === 'lid' ? `${lid}@lid` : `${pn}@s.whatsapp.net`
}

/** A message each way, after which neither side sends pre-key messages any more. */
export async function greet(alice: AnyBot, bob: AnyBot): Promise<void> {
  await alice.send(jidOf(BOB), 'hello bob')
  await bob.received('hello bob')
  await bob.send(jidOf(ALICE), 'hello alice')
  await alice.received('hello alice')
}

/** One after the other; resolves with their ids. */
export async function sendAll(from: AnyBot, jid: string, texts: string[]): Promise<string[]> {
  const ids: string[] = []
  for (const text of texts) ids.push(await from.send(jid, text))
  return ids
}

export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index + 1}`)
}

export function textsOf(bot: AnyBot): string[] {
  return bot.inbox.map(({ text }) => text)
}
