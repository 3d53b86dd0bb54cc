import type { Bot, Contender, Keys } from '../contenders/bot.js'
import { openContender } from '../contenders/index.js'
import type { Place } from '../contenders/place.js'
import type { Effort } from '../effort.js'
import { type ContenderName, OPERATIONS, type Operation } from '../figures.js'
import { type Entry, measure } from '../measure.js'
import { describe, type Measured, type Recorder } from '../recorder.js'
import { makePreKeys, randomIds } from '../values.js'
import type { CaseName, StoreName } from './names.js'
import { openSession, type Session, toKeys } from './session.js'

const BURST = 100

export interface GrowthOptions {
  /** Default: that of the store. */
  name?: CaseName
  store: StoreName
  names: readonly ContenderName[]
  /** Default: those of the effort. */
  sizes?: readonly number[]
  operations?: readonly Operation[]
  /** Of a value; each has about 1 KB. */
  ratchets?: number
}

interface Seat extends Session {
  contender: Contender
}

/** Each operation for each contender and size, all of one operation in turns. */
export async function measureGrowth(
  { store, name = store, names, sizes, operations = OPERATIONS, ratchets = 1 }: GrowthOptions,
  place: Place,
  effort: Effort,
  recorder: Recorder,
): Promise<void> {
  const contenders = await Promise.all(names.map(name => openContender(store, name, place)))
  const seats: Seat[] = []
  const measuredOf = (
    operation: Operation,
    { contender, keys }: Pick<Seat, 'contender' | 'keys'>,
  ): Measured => ({
    case: name,
    store,
    operation,
    contender: contender.name,
    keys,
    bytes: ratchets * 1024,
  })
  for (const contender of contenders) {
    for (const keys of sizes ?? effort.sizes) {
      const sessionId = `${store}-${contender.name}-${keys}-${ratchets}`
      try {
        seats.push({ ...(await openSession(contender, sessionId, { keys, ratchets })), contender })
      } catch (error) {
        recorder.fail(describe(measuredOf('open', { contender, keys })), error)
      }
    }
  }
  recorder.say(`${store}: ${seats.length} sessions are filled`)
  for (const operation of operations) {
    recorder.say(`${store}: ${operation}`)
    const entries = seats
      .filter(seat => takesPart(seat, operation))
      .map(seat => ({ ...toEntry(operation, seat), of: measuredOf(operation, seat) }))
    recorder.note(await measure(entries, effort))
  }
  for (const { bot } of seats) await bot.close()
  for (const contender of contenders) await contender.close()
}

/** 100 writes at once of the peer's whole sessions would take minutes, and those that meet fail. */
function takesPart({ contender }: Seat, operation: Operation): boolean {
  return contender.name !== 'peer' || !isBurst(operation)
}

function isBurst(operation: Operation): boolean {
  return operation.startsWith(`${BURST} × `)
}

/** `open` comes last: it takes the session from the bot that has it. */
function toEntry(operation: Operation, seat: Seat): Omit<Entry<unknown>, 'of'> {
  const { bot } = seat
  if (operation === 'open') return toOpening(seat)
  if (operation === 'set 812') return toFirstLogin(bot)
  const settle = () => bot.settle?.() ?? Promise.resolve()
  if (isBurst(operation)) return { ...toBurst(operation.includes('get'), seat), settle }
  if (operation === 'saveCreds') return { call: () => bot.saveCreds(), settle }
  const [kind, count] = operation.split(' ')
  let ids: string[] = []
  let keys: Keys = {}
  async function before() {
    ids = randomIds(seat.keys, Number(count))
    keys = toKeys(ids, seat.values)
  }
  if (kind === 'get') return { before, call: () => bot.get(ids) }
  return { before, call: () => bot.set(keys), settle }
}

/** As many bots in one process, or one in a burst of messages, ask for: each call is of one key. */
function toBurst(reads: boolean, { bot, keys, values }: Seat): Omit<Entry<unknown>, 'of'> {
  let ids: string[] = []
  const call = (id: string) => (reads ? bot.get([id]) : bot.set(toKeys([id], values)))
  return {
    async before() {
      ids = randomIds(keys, BURST)
    },
    call: () => Promise.all(ids.map(call)),
  }
}

/** New keys each time: they are removed in between. */
function toFirstLogin(bot: Bot): Omit<Entry<unknown>, 'of'> {
  const preKeys = makePreKeys()
  const none = Object.fromEntries(Object.keys(preKeys).map(id => [id, null] as const))
  return {
    call: () => bot.set({ 'pre-key': preKeys }),
    async after() {
      await bot.set({ 'pre-key': none })
      await bot.settle?.()
    },
  }
}

function toOpening({ contender, sessionId }: Seat): Omit<Entry<unknown>, 'of'> {
  let opened: Bot | undefined
  return {
    async call() {
      opened = await contender.open(sessionId)
    },
    after: async () => opened?.close(),
  }
}
