import type { Bot, Contender } from '../contenders/bot.js'
import { idOf, makeSessions, pick, randomIds } from '../values.js'

const CHUNK = 1000
const VALUES = 64

/** A session of so many keys, with values of its own to write. */
export interface Session {
  readonly sessionId: string
  readonly keys: number
  readonly values: readonly object[]
  readonly bot: Bot
}

export async function openSession(
  contender: Contender,
  sessionId: string,
  { keys, ratchets = 1 }: { keys: number; ratchets?: number },
): Promise<Session> {
  const bot = await contender.open(sessionId)
  const values = makeSessions(VALUES, ratchets)
  await bot.saveCreds()
  for (let from = 0; from < keys; from += CHUNK) {
    const ids = Array.from({ length: Math.min(CHUNK, keys - from) }, (_, n) => idOf(from + n))
    await bot.set(toKeys(ids, values))
  }
  await bot.settle?.()
  const session = { sessionId, keys, values, bot }
  await check(session)
  return session
}

export function toKeys(ids: readonly string[], values: readonly object[]) {
  return { session: Object.fromEntries(ids.map(id => [id, pick(values)] as const)) }
}

/** A store that answers nothing would be fast. */
async function check({ bot, keys }: Session): Promise<void> {
  const asked = randomIds(keys, 50)
  const found = Object.values(await bot.get(asked)).filter(Boolean)
  if (found.length !== asked.length) {
    throw new Error(`of ${asked.length} keys that were written it has ${found.length}`)
  }
}
