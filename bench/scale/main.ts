/**
 * Many sessions in one process: what opening them, their messages and their mere being there cost in time, in memory,
 * in delay of the event loop, in connections and timers. It measures the build: tsx runs sources with a name set on each
 * function, which costs 256 bytes a closure.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeHeapSnapshot } from 'node:v8'
import type { AuthStateHandle, AuthStore } from '@luoarch/baileys-store-core'
import { forEach } from '../../src/core/for-each.js'
import { readArguments } from './arguments.js'
import { type OpenStore, openStore } from './database.js'
import { Times, watchLoad } from './load.js'
import { countSockets, countTimers, type Memory, measureMemory, share } from './memory.js'
import { openPlace, type Place } from './place.js'
import { type Figures, type Phase, printReport } from './report.js'
import type { SeedOptions } from './seed.js'
import { run } from './traffic.js'
import { sessionIdOf } from './values.js'

/** Opened and closed beforehand, so that code that is loaded and compiled once is not counted. */
const WARM_UP_SESSIONS = 200
/** Sessions that are read whole, beside the catalogue. */
const MAX_READ = 100

type Handle = AuthStateHandle<AuthStore>

const options = readArguments()
const { sessions, concurrency, idleSeconds } = options
const place = await openPlace(options)
let exitCode = 1
try {
  const creds = await seed({ ...options, database: place.database })
  const figures = await measure(place, creds)
  printReport(figures)
  if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, `${JSON.stringify(figures, null, 2)}\n`)
  exitCode = figures.failedMessages === 0 ? 0 : 1
} finally {
  await place.leave()
}
process.exit(exitCode) // Baileys' timers would keep the process alive

async function seed(seedOptions: SeedOptions): Promise<Memory> {
  const child = fork(new URL('seed.ts', import.meta.url), [JSON.stringify(seedOptions)])
  const [result] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the database was not filled: ${code}`))),
  ])
  return result
}

async function measure({ database, countRedisClients }: Place, creds: Memory): Promise<Figures> {
  const { store, open } = await openStore(database)
  await closeAll(await openAll(open, Math.min(WARM_UP_SESSIONS, sessions), new Times()), new Times())
  const pages = new Times()
  const listing = watchLoad()
  await list(store, pages)
  const catalogueLoad = listing.stop()
  const wholes = new Times()
  const reading = watchLoad()
  for (let index = 0; index < Math.min(sessions, MAX_READ); index++) {
    await wholes.measure(() => store.get(sessionIdOf(index)))
  }
  const wholeLoad = reading.stop()

  const timersBefore = countTimers()
  const before = await measureMemory()

  const opens = new Times()
  const opening = watchLoad()
  const handles = await openAll(open, sessions, opens)
  const openLoad = opening.stop()
  const opened = share(before, await measureMemory(), sessions)

  const talking = watchLoad()
  const { gets, sets, failed, mostUnderWay } = await run(handles, options)
  const trafficLoad = talking.stop()

  await measureMemory()
  const idling = watchLoad()
  await sleep(idleSeconds * 1000)
  const idleLoad = idling.stop()
  const idle = share(before, await measureMemory(), sessions)
  const counts = {
    sockets: countSockets(),
    redisClients: await countRedisClients(),
    timers: { before: timersBefore, idle: countTimers() },
  }
  if (options.snapshotFile !== undefined) writeHeapSnapshot(options.snapshotFile)

  const closes = new Times()
  const closing = watchLoad()
  await closeAll(handles, closes)
  await store.close()
  const phases: Phase[] = [
    { name: 'catalogue', load: catalogueLoad, calls: toCalls(pages) },
    { name: 'get of a whole session', load: wholeLoad, calls: toCalls(wholes) },
    { name: 'open', load: openLoad, calls: toCalls(opens) },
    { name: 'messages: get', load: trafficLoad, calls: toCalls(gets) },
    { name: 'messages: set', load: trafficLoad, calls: toCalls(sets) },
    { name: 'idle', load: idleLoad },
    { name: 'close', load: closing.stop(), calls: toCalls(closes) },
  ]
  const { jsonFile, snapshotFile, ...given } = options
  return {
    options: given,
    node: process.version,
    phases,
    memory: { creds, opened, idle },
    failedMessages: failed,
    mostMessagesUnderWay: mostUnderWay,
    ...counts,
  }
}

async function openAll(open: OpenStore['open'], count: number, times: Times): Promise<Handle[]> {
  const handles: Handle[] = []
  const indexes = Array.from({ length: count }, (_, index) => index)
  await forEach(indexes, concurrency, async index => {
    handles.push(await times.measure(() => open(sessionIdOf(index))))
  })
  return handles
}

/** All sessions by their heads, one after the other; they come in pages. */
async function list(store: AuthStore, times: Times): Promise<void> {
  const found = store.sessions()[Symbol.asyncIterator]()
  while (!(await times.measure(() => found.next())).done);
}

function closeAll(handles: readonly Handle[], times: Times): Promise<void> {
  return forEach(handles, concurrency, handle => times.measure(() => handle.close()))
}

function toCalls(times: Times) {
  return { count: times.count, times: times.percentiles }
}
