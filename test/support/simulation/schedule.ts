import { vi } from 'vitest'
import { hasCode, type StoreErrorCode } from '../../../src/core/errors.js'
import { KeyNames } from '../../../src/redis/key-names.js'
import { History } from './history.js'
import { type Mode, type SimProcess, startProcess } from './sim-process.js'
import { type Side, World } from './world.js'

export interface ScheduleOptions extends Mode {
  /** Redis may be wiped, and may fail over to an older replica. */
  losesRedis: boolean
  /** Owners may stall, be replaced, and wake up. */
  stalls: boolean
}

export interface ScheduleStats {
  acknowledged: number
  toOutbox: number
  failed: number
  fenced: number
  reads: number
  opened: number
}

interface Owner {
  process: SimProcess
  number: number
  token: number
}

const SESSION = 's'
const KEYS = ['a', 'b', 'c'] as const
const ACTIONS = 40
/** Of a server that is away, before each action. */
const RECOVERY = 0.2
const START_MS = Date.UTC(2030, 0, 1)
/** What a call may fail with while servers and networks fail. */
const OUTAGES: readonly StoreErrorCode[] = ['STORE_UNAVAILABLE', 'TIMEOUT']
const realRandom = Math.random

/** Runs one schedule; throws what it violates, with all that has happened. */
export async function runSchedule(seed: number, options: ScheduleOptions): Promise<ScheduleStats> {
  vi.useFakeTimers({
    now: START_MS,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  })
  const world = new World(seed)
  Math.random = world.random.next
  try {
    const schedule = new Schedule(world, options)
    await schedule.run()
    return schedule.stats
  } catch (error) {
    const history = world.log.slice(-400).join('\n')
    throw new Error(`seed ${seed}, ${JSON.stringify(options)}: ${(error as Error).message}\n${history}`, {
      cause: error,
    })
  } finally {
    Math.random = realRandom
    vi.clearAllTimers()
    vi.useRealTimers()
  }
}

class Schedule {
  readonly stats: ScheduleStats = { acknowledged: 0, toOutbox: 0, failed: 0, fenced: 0, reads: 0, opened: 0 }
  readonly #world: World
  readonly #options: ScheduleOptions
  readonly #history = new History(KEYS)
  readonly #names = new KeyNames('sim', { hasOutbox: true })
  readonly #underWay = new Map<Promise<void>, Owner | undefined>()
  readonly #locked = new Set<string>()
  readonly #stalled: Owner[] = []
  #processes = 0
  #owner: Owner | undefined
  #replica = new Map() as ReturnType<World['redis']['snapshot']>
  #hasLostClaim = false
  #violation: Error | undefined

  constructor(world: World, options: ScheduleOptions) {
    this.#world = world
    this.#options = options
  }

  async run(): Promise<void> {
    const { random } = this.#world
    await this.#begin()
    for (let action = 0; action < ACTIONS; action++) {
      this.#act()
      // What is safe when an opening begins has to be so until it ends.
      const isWhole = this.#options.opensDegraded && this.#owner === undefined
      this.#world.isCalm = isWhole
      const target = random.chance(0.4) && !isWhole ? random.whole(3) : 0
      let steps = random.chance(0.2) && !isWhole ? random.whole(12) : Number.POSITIVE_INFINITY
      await this.#world.run(() => this.#pending() <= target || steps-- <= 0 || this.#violation !== undefined)
      if (this.#violation) throw this.#violation
    }
    await this.#finish()
  }

  /** Operations of processes that are heard of. */
  #pending(): number {
    return [...this.#underWay.values()].filter(owner => owner?.process.condition !== 'stalled').length
  }

  async #begin(): Promise<void> {
    this.#world.isCalm = true
    await this.#open()
    const { process, token } = this.#owner as Owner
    await this.#settle(process.store.set(SESSION, { creds: { registrationId: 1 } }, undefined, token))
    await this.#settle(process.reconciler.reconcileAll())
    this.#world.isCalm = false
  }

  #act(): void {
    const { random, servers } = this.#world
    for (const side of ['redis', 'mongo'] as const) {
      if (servers[side] !== 'up' && random.chance(RECOVERY)) this.#changeServer(side)
    }
    const dice = random.next()
    if (dice < 0.22) this.#disturb(dice / 0.22)
    else if (this.#owner === undefined) this.#start(undefined, () => this.#claim(this.#startProcess()))
    else if (dice < 0.3 && this.#stalled.length > 0) this.#wake()
    else if (dice < 0.68) this.#write(this.#owner)
    else if (dice < 0.9) this.#read(this.#owner)
    else if (dice < 0.95) this.#readWhole(this.#owner)
    else this.#reconcile(this.#owner)
  }

  /** `dice`: from 0 to below 1. */
  #disturb(dice: number): void {
    const { random, redis } = this.#world
    const { losesRedis, stalls } = this.#options
    if (dice < 0.45) this.#changeServer(random.pick(['redis', 'mongo'] as const))
    else if (dice < 0.55) this.#evict()
    else if (dice < 0.62)
      this.#world.jumpClock(random.pick(['redis', 'mongo'] as const), random.whole(600_000) - 300_000)
    else if (dice < 0.72) this.#replica = redis.snapshot()
    else if (dice < 0.76 && losesRedis) this.#rewind('redis fails over to an older replica', this.#replica)
    else if (dice < 0.78 && losesRedis) this.#rewind('redis is wiped', new Map())
    else if (dice < 0.88) this.#crash()
    else if (stalls) this.#stall()
  }

  #changeServer(side: Side): void {
    const { servers, random } = this.#world
    servers[side] = servers[side] === 'up' ? random.pick(['down', 'frozen'] as const) : 'up'
    this.#world.note(`${side} is ${servers[side]}`)
  }

  #evict(): void {
    const [creds, keys] = this.#names.of(SESSION)
    const evicted = this.#world.random.pick([[creds], [keys], [creds, keys]])
    for (const key of evicted) this.#world.redis.run('DEL', key)
    this.#world.note(`evicted: ${evicted.join(' ')}`)
  }

  #rewind(what: string, snapshot: ReturnType<World['redis']['snapshot']>): void {
    this.#world.redis.restore(snapshot)
    this.#history.loseOutbox()
    this.#hasLostClaim = true
    this.#world.note(what)
  }

  #crash(): void {
    if (this.#owner === undefined) return
    this.#world.note(`${this.#owner.process.name} crashes`)
    this.#owner.process.condition = 'dead'
    this.#forget(this.#owner)
    this.#owner = undefined
  }

  #stall(): void {
    if (this.#owner === undefined) return
    this.#world.note(`${this.#owner.process.name} stalls`)
    this.#owner.process.condition = 'stalled'
    this.#stalled.push(this.#owner)
    this.#locked.clear()
    this.#owner = undefined
  }

  /** It knows nothing of its successor, and goes on. */
  #wake(): void {
    const sleeper = this.#stalled.shift() as Owner
    this.#world.note(`${sleeper.process.name} wakes up`)
    sleeper.process.condition = 'running'
    this.#write(sleeper)
  }

  #write(owner: Owner): void {
    const { random } = this.#world
    const isOwner = owner === this.#owner
    const keys = KEYS.filter(key => random.chance(0.5) && !(isOwner && this.#locked.has(key)))
    if (keys.length === 0) return
    const record = this.#history.begin(keys, owner.number)
    const isLate = this.#owner !== undefined && !isOwner
    const session = Object.fromEntries(keys.map(key => [key, record.value]))
    this.#world.note(`${owner.process.name} writes ${JSON.stringify(session)}`)
    this.#start(
      owner,
      async () => {
        const { durability, version } = await owner.process.store.set(
          SESSION,
          { keys: { session } },
          undefined,
          owner.token,
        )
        // A Redis that has lost the claim cannot refuse: MongoDB does, once it is there.
        if (isLate && durability === 'outbox' && this.#hasLostClaim) return
        if (isLate) throw new Error(`${owner.process.name} has written ${record.value} after it was replaced`)
        record.outcome = 'acknowledged'
        record.isDurable = durability === 'durable'
        this.stats[record.isDurable ? 'acknowledged' : 'toOutbox']++
        this.#world.note(`${owner.process.name} has written ${record.value} at ${version}: ${durability}`)
      },
      keys,
    )
  }

  #read(owner: Owner): void {
    const keys = KEYS.filter(key => !this.#locked.has(key) && this.#world.random.chance(0.6))
    if (keys.length === 0) return
    this.#start(
      owner,
      async () => {
        const found = (await owner.process.store.getKeys(SESSION, 'session', keys)) as Record<string, number>
        if (owner !== this.#owner) return
        this.#world.note(`${owner.process.name} reads ${keys} as ${JSON.stringify(found)}`)
        for (const key of keys) this.#history.check(key, found[key])
        this.stats.reads++
      },
      keys,
    )
  }

  #readWhole(owner: Owner): void {
    if (this.#locked.size > 0) return
    this.#start(owner, () => this.#checkWhole(owner), KEYS)
  }

  async #checkWhole(owner: Owner): Promise<void> {
    const session = await owner.process.store.get(SESSION)
    if (owner !== this.#owner) return
    if (session === null) throw new Error('the session is gone')
    const values = (session.data.keys.session ?? {}) as Record<string, number>
    this.#world.note(`${owner.process.name} reads all at ${session.version}: ${JSON.stringify(values)}`)
    this.#history.checkWhole(values)
  }

  #reconcile(owner: Owner): void {
    this.#start(owner, () => owner.process.reconciler.reconcileAll())
  }

  #startProcess(): SimProcess {
    const opensDegraded = this.#options.opensDegraded && this.#isSafeAlone()
    return startProcess(this.#world, `p${++this.#processes}`, { ...this.#options, opensDegraded })
  }

  /**
   * Whether the one that is there has all that was acknowledged: where it has not, an opening without the other one
   * goes back, which docs/hybrid.md says.
   */
  #isSafeAlone(): boolean {
    const { redis, mongo, servers } = this.#world
    const [creds, , outbox = ''] = this.#names.of(SESSION)
    const hot = Number(redis.run('HGET', creds, 'version') ?? 0)
    const durable = Number(mongo.find({ _id: `${SESSION}/` })[0]?.v ?? 0)
    if (servers.mongo !== 'up') return hot >= durable
    return durable >= hot && redis.run('HLEN', outbox) === 0
  }

  async #claim(process: SimProcess): Promise<void> {
    const number = this.#processes
    const { fencingToken: token, creds, version } = await process.store.claim(SESSION)
    if (creds === null && number > 1) throw new Error(`${process.name} takes the session for a new one`)
    this.#world.note(`${process.name} owns the session at ${version} by ${token}`)
    this.#owner = { process, number, token }
    this.#history.changeOwner(number)
    this.#hasLostClaim = false
    this.stats.opened++
  }

  /** Until it is open. */
  async #open(): Promise<void> {
    for (let attempts = 0; this.#owner === undefined; attempts++) {
      if (attempts === 20) throw new Error('the session cannot be opened though all is well')
      await this.#settle(this.#claim(this.#startProcess()))
    }
  }

  /** Runs it among others; `keys` are left to it. */
  #start(owner: Owner | undefined, action: () => Promise<void>, keys: readonly string[] = []): void {
    const isOwner = owner === this.#owner
    if (isOwner) for (const key of keys) this.#locked.add(key)
    const task = action()
      .catch(error => this.#judge(error, owner))
      .finally(() => {
        this.#underWay.delete(task)
        if (owner === this.#owner) for (const key of keys) this.#locked.delete(key)
      })
    this.#underWay.set(task, owner)
  }

  #judge(error: unknown, owner: Owner | undefined): void {
    this.#world.note(`${owner?.process.name ?? 'an opening'}: ${(error as Error).message}`)
    if (OUTAGES.some(code => hasCode(error, code))) this.stats.failed++
    else if (hasCode(error, 'FENCED') && this.stats.opened > 1) {
      this.stats.fenced++
      if (owner === this.#owner) this.#crash() // it ends, as it is told to
    } else this.#violation ??= error as Error
  }

  async #settle(task: Promise<unknown>): Promise<void> {
    let isOver = false
    const done = task
      .catch(error => this.#judge(error, undefined))
      .finally(() => {
        isOver = true
      })
    await this.#world.run(() => isOver)
    await done
    if (this.#violation) throw this.#violation
  }

  #forget(owner: Owner): void {
    for (const [task, of] of this.#underWay) if (of === owner) this.#underWay.delete(task)
    this.#locked.clear()
  }

  /** All is well again: what was acknowledged is there, in Redis, and in MongoDB without Redis. */
  async #finish(): Promise<void> {
    const world = this.#world
    world.isCalm = true
    world.servers.redis = world.servers.mongo = 'up'
    for (const owner of this.#stalled) owner.process.condition = 'dead'
    await world.run(() => this.#pending() === 0 || this.#violation !== undefined)
    if (this.#violation) throw this.#violation
    for (const ending of ['all is well', 'redis is wiped'] as const) {
      world.note(`the end: ${ending}`)
      this.#crash()
      if (ending === 'redis is wiped') world.redis.restore(new Map())
      await this.#open()
      await this.#settle(this.#checkWhole(this.#owner as unknown as Owner))
    }
  }
}
