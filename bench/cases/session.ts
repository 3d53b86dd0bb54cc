import type { Bot, Contender } from '../contenders/bot.js'
import { idOf, makeSessions, pick, randomIds } from '../values.js'

const CHUNK = 1000
const VALUES = 64
const CHECKED = 50
const MAX_ATTEMPTS = 3

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
  const session = { sessionId, keys, values, bot }
  for (let attempts = 1; ; attempts++) {
    await fill(session)
    const missing = await countMissing(session)
    if (missing === 0) return session
    // The peer's hybrid store loses a write that meets its loading of what Redis did not have.
    if (attempts === MAX_ATTEMPTS)
      throw new Error(`of ${CHECKED} keys that were written ${missing} are missing`)
  }
}

async function fill({ bot, keys, values }: Session): Promise<void> {
  for (let from = 0; from < keys; from += CHUNK) {
    const ids = Array.from({ length: Math.min(CHUNK, keys - from) }, (_, n) => idOf(from + n))
    await bot.set(toKeys(ids, values))
  }
  await bot.settle?.()
}

export function toKeys(ids: readonly string[], values: readonly object[]) {
  return { session: Object.fromEntries(ids.map(id => [id, pick(values)] as const)) }
}

/** A store that answers nothing would be fast. */
async function countMissing({ bot, keys }: Session): Promise<number> {
  const found = Object.values(await bot.get(randomIds(keys, CHECKED))).filter(Boolean)
  return CHECKED - found.length
}
