/** A process with 100 sessions on one store; see setting.ts. */
import { randomInt } from 'node:crypto'
import { openContender } from '../contenders/index.js'
import type { SettingFigure } from '../figures.js'
import { toLatency } from '../percentile.js'
import { pick, randomIds } from '../values.js'
import { openSession, type Session, toKeys } from './session.js'
import type { SettingTask } from './setting.js'
import { countSockets } from './sockets.js'

const SESSIONS = 100
const KEYS = 100
const OPERATIONS = 1000 * SESSIONS
const CONCURRENT = 10
const READS_OF_TEN = 8
const MIB = 1024 ** 2

const { store, contender: name, place, timeMs }: SettingTask = JSON.parse(process.argv[2] ?? '')
const rssMiB = () => {
  globalThis.gc?.()
  return process.memoryUsage().rss / MIB
}

const contender = await openContender(store, name, place)
const beforeMiB = rssMiB()
const sessions: Session[] = []
for (let n = 0; n < SESSIONS; n++) {
  sessions.push(await openSession(contender, `setting-${name}-${store}-${n}`, { keys: KEYS }))
}
const readsMs: number[] = []
const writesMs: number[] = []
let begun = 0
let failed = 0
const beganMs = performance.now()
await Promise.all(Array.from({ length: CONCURRENT }, work))
const seconds = (performance.now() - beganMs) / 1000
const redisConnections = countSockets(place.redisUrl)
const mongoConnections = countSockets(place.mongoUrl)
for (const { bot } of sessions) await bot.settle?.()
const afterMiB = rssMiB()
const figure: SettingFigure = {
  store,
  contender: name,
  operations: readsMs.length + writesMs.length,
  seconds,
  failed,
  perSecond: (readsMs.length + writesMs.length) / seconds,
  read: toLatency(readsMs),
  write: toLatency(writesMs),
  rssMiB: afterMiB,
  addedMiB: afterMiB - beforeMiB,
  redisConnections,
  mongoConnections,
}
process.send?.(figure, () => process.exit())

async function work(): Promise<void> {
  while (begun < OPERATIONS && performance.now() - beganMs < timeMs) {
    begun++
    const { bot, values } = pick(sessions)
    const ids = randomIds(KEYS, 1)
    const isRead = randomInt(10) < READS_OF_TEN
    const keys = toKeys(ids, values)
    const sinceMs = performance.now()
    try {
      await (isRead ? bot.get(ids) : bot.set(keys))
      const samplesMs = isRead ? readsMs : writesMs
      samplesMs.push(performance.now() - sinceMs)
    } catch {
      failed++ // the peer's stores throw when two writes of a session meet
    }
  }
}
