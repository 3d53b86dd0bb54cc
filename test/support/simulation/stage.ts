import { onTestFinished } from 'vitest'
import { type Mode, names, SESSION, type SimProcess, startProcess } from './sim-process.js'
import { beginVirtualTime } from './virtual-time.js'
import { type Side, World } from './world.js'

const WRITE_BEHIND: Mode = { isWriteBehind: true, opensDegraded: false, hasCache: false }
/** Longer than a circuit breaker stays open. */
const OPEN_MS: Record<Side, number> = { redis: 1000, mongo: 31_000 }

/** For histories that are told step by step: a world without faults but those that a test brings about. */
export function setUpStage() {
  const world = new World(1)
  onTestFinished(beginVirtualTime(world.random.next))
  world.isCalm = true
  const settled = async <T>(call: Promise<T>): Promise<T> => {
    let isOver = false
    const note = () => {
      isOver = true
    }
    call.then(note, note)
    await world.run(() => isOver)
    return call
  }
  const start = (name: string, mode: Partial<Mode> = {}) =>
    startProcess(world, name, { ...WRITE_BEHIND, ...mode })
  const write = ({ store }: SimProcess, session: Record<string, string>) =>
    settled(store.set(SESSION, { keys: { session } }))
  const read = ({ store }: SimProcess, ...keys: string[]) => settled(store.getKeys(SESSION, 'session', keys))
  /** The session begins, and MongoDB has it. */
  const begin = async ({ store, reconciler }: SimProcess, session: Record<string, string> = {}) => {
    await settled(store.set(SESSION, { creds: { registrationId: 7 }, keys: { session } }))
    await settled(reconciler.reconcileAll())
  }
  const pass = (ms: number) => settled(new Promise(resolve => setTimeout(resolve, ms)))
  /** Until a server is tried again by those whose calls have failed. */
  const untilTriedAgain = (side: Side) => pass(OPEN_MS[side])
  /** Runs until a line of the log from now on ends so. */
  const until = async (ending: string) => {
    const from = world.log.length
    await world.run(() => world.log.slice(from).some(line => line.endsWith(ending)))
  }
  return { world, settled, start, write, read, begin, pass, until, untilTriedAgain }
}

/** Two processes without a token, both of which have read the session that the first one has begun. */
export async function setUpTwo(isWriteBehind: boolean) {
  const stage = setUpStage()
  const [one, two] = [stage.start('one', { isWriteBehind }), stage.start('two', { isWriteBehind })]
  await stage.begin(one, { a: 'first' })
  await stage.read(two, 'a')
  /** MongoDB gets all that waits. By default the other process learns nothing of it. */
  const drain = (by = one) => stage.settled(by.reconciler.reconcileAll())
  const [creds, keys] = names.of(SESSION)
  const evict = () => stage.world.redis.run('DEL', creds, keys)
  /** Both databases lose all of the session. */
  const loseAll = () => {
    stage.world.redis.restore(new Map())
    stage.world.mongo.restore(new Map())
  }
  return { ...stage, one, two, drain, evict, loseAll }
}
