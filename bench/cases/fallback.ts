import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/bot.js'
import { openContender } from '../contenders/index.js'
import type { Place } from '../contenders/place.js'
import type { Effort } from '../effort.js'
import type { ContenderName } from '../figures.js'
import { type Entry, measure } from '../measure.js'
import type { Measured, Recorder } from '../recorder.js'
import { randomIds } from '../values.js'
import { openSession, type Session } from './session.js'

const KEYS = 1000
const LOADING_MS = 100
const MAX_ATTEMPTS = 100

/** The first read after Redis has lost the session: MongoDB answers it. */
export async function measureFallback(place: Place, effort: Effort, recorder: Recorder): Promise<void> {
  const toMeasured = (contender: ContenderName): Measured => ({
    case: 'fallback',
    store: 'hybrid',
    operation: 'fallback',
    contender,
    keys: KEYS,
    bytes: 1024,
  })
  const names = ['encrypted', 'compressed', 'peer'] as const
  const contenders = await Promise.all(names.map(name => openContender('hybrid', name, place)))
  const mongo = await openContender('mongodb', 'raw', place)
  const alone = await openSession(mongo, 'fallback', { keys: KEYS })
  const raw = { of: toMeasured('raw'), call: () => alone.bot.get(randomIds(KEYS, 1)) }
  const entries: Entry<Measured>[] = [raw]
  const sessions = []
  for (const contender of contenders) {
    const sessionId = `fallback-${contender.name}`
    const session = await openSession(contender, sessionId, { keys: KEYS })
    sessions.push(session)
    entries.push({
      of: toMeasured(contender.name),
      before: () => evict(contender, session),
      call: () => session.bot.get(randomIds(KEYS, 1)),
    })
  }
  recorder.say('hybrid: reads from MongoDB while Redis is empty')
  recorder.note(await measure(entries, effort))
  for (const { bot } of sessions) await bot.close()
  for (const contender of [...contenders, mongo]) await contender.close()
}

/** A read that finds Redis empty has the session loaded in the background: until it is there whole, it cannot go. */
async function evict(contender: Contender, { sessionId, bot }: Session): Promise<void> {
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
    if (await contender.evict?.(sessionId)) return
    await bot.get(randomIds(KEYS, 1))
    await sleep(LOADING_MS)
  }
  throw new Error('the session does not come back to Redis')
}
