import { setTimeout as sleep } from 'node:timers/promises'
import type { Claim, Durability } from '../../../src/core/auth-store.js'
import { SessionLockedError } from '../../../src/core/errors.js'
import { Faults } from './faults.js'
import { CREDS_KEY, History, type WriteRecord } from './history.js'
import { judge } from './judge.js'
import { Leases } from './leases.js'
import { Lifetime } from './lifetime.js'
import { noStats, type ScheduleOptions, type ScheduleStats } from './schedule-options.js'
import { SESSION, type SimProcess, startProcess } from './sim-process.js'
import { beginVirtualTime } from './virtual-time.js'
import { World } from './world.js'

/** In the order in which they have started. */
type Numbered = SimProcess & { readonly number: number }

interface Writer {
  process: SimProcess
  /** That of its process; the guest is above all owners. */
  number: number
  token: number | undefined
  keys: readonly string[]
  /** Those of them that it is reading or writing. */
  locked: Set<string>
  /** Whether the session has creds, as far as it knows. */
  hasCreds: boolean
}

const KEYS = ['a', 'b', 'c']
const GUEST_KEYS = ['g', 'h']
const ACTIONS = 40

/** Runs one schedule; throws what it violates, with all that has happened. */
export async function runSchedule(seed: number, options: ScheduleOptions): Promise<ScheduleStats> {
  const world = new World(seed)
  const endVirtualTime = beginVirtualTime(world.random.next)
  try {
    const schedule = new Schedule(world, options, seed % 2 === 0)
    await schedule.run()
    return schedule.stats
  } catch (error) {
    const history = world.log.slice(-400).join('\n')
    throw new Error(`seed ${seed}, ${JSON.stringify(options)}: ${(error as Error).message}\n${history}`, {
      cause: error,
    })
  } finally {
    endVirtualTime()
  }
}

class Schedule {
  readonly stats = noStats()
  readonly #world: World
  readonly #options: ScheduleOptions
  readonly #hasCache: boolean
  readonly #history = new History([...KEYS, ...GUEST_KEYS])
  readonly #faults: Faults
  readonly #leases: Leases
  readonly #lifetime: Lifetime
  readonly #underWay = new Map<Promise<void>, Writer | undefined>()
  readonly #stalled: Writer[] = []
  /** Of writes that were acknowledged. */
  readonly #versions = new Set<number>()
  #processes = 0
  #highestToken = 0
  #owner: Writer | undefined
  #guest: Writer | undefined
  /** The last deletion, once its caller has heard of its end, and until somebody opens the session. */
  #undoable: WriteRecord | undefined
  #isRestoring = false
  #hasLostClaim = false
  /** Redis has lost a session that was never acknowledged, and a process that has seen it does not call it absent. */
  #isHalf = false
  #violation: Error | undefined

  /** With `hasCache` owners may read from memory: every other schedule. */
  constructor(world: World, options: ScheduleOptions, hasCache: boolean) {
    this.#hasCache = hasCache
    this.#world = world
    this.#options = options
    this.#faults = new Faults(world, {
      // A store asks for MongoDB's time once a minute: until then, leases and lives count by the earlier time.
      clocksJump: !options.leases && options.ttlMs === undefined,
      onEviction: () => this.#leases.noteEviction(),
    })
    this.#leases = new Leases(world)
    this.#lifetime = new Lifetime(world, this.#history, options.ttlMs ?? Number.POSITIVE_INFINITY)
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
    const owner = this.#owner as Writer
    const { process, number, token } = owner
    const record = this.#history.begin([CREDS_KEY], number)
    const creds = toCreds(record)
    await this.#settle(process.store.set(SESSION, { creds }, undefined, token))
    record.outcome = 'acknowledged'
    owner.hasCreds = true
    await this.#settle(process.reconciler.reconcileAll())
    if (this.#options.hasGuest) this.#guest = toWriter(this.#startProcess(), GUEST_KEYS)
    this.#world.isCalm = false
  }

  #act(): void {
    const { random } = this.#world
    this.#faults.recover()
    this.#lifetime.check()
    const dice = random.next()
    if (this.#isHalf) this.#discard()
    else if (this.#guest && random.chance(0.25)) this.#visit(this.#guest)
    else if (dice < 0.22) this.#disturb(dice / 0.22)
    else if (this.#options.deletes && this.#owner && random.chance(0.08)) this.#delete(this.#owner)
    else if (this.#isRestoring)
      return // an owner that opened the session meanwhile would be replaced without knowing it
    else if (this.#undoable && this.#options.restores && !this.#isOpening() && random.chance(0.7))
      this.#restore(this.#undoable)
    else if (this.#owner === undefined) this.#start(undefined, () => this.#claim(this.#startProcess()))
    else if (dice < 0.3 && this.#stalled.length > 0) this.#wake()
    else if (dice < 0.36 && this.#options.leases) this.#renewLease(this.#owner)
    else if (dice < 0.68) this.#write(this.#owner)
    else if (dice < 0.9) this.#read(this.#owner)
    else if (dice < 0.95) this.#readWhole(this.#owner)
    else this.#reconcile(this.#owner)
  }

  #isOpening(): boolean {
    return [...this.#underWay.values()].includes(undefined)
  }

  #visit(guest: Writer): void {
    if (this.#world.random.chance(0.7)) this.#write(guest)
    else this.#read(guest)
  }

  /** `dice`: from 0 to below 1. */
  #disturb(dice: number): void {
    const { losesRedis, stalls, ttlMs } = this.#options
    if (dice < 0.72) this.#faults.strike(dice / 0.72)
    else if (dice < 0.78 && losesRedis) {
      this.#faults.rewindRedis()
      this.#history.loseOutbox()
      this.#hasLostClaim = true
    } else if (dice < 0.88) this.#crash()
    else if (dice < 0.94 && ttlMs !== undefined) this.#world.passTime(ttlMs + this.#world.random.whole(ttlMs))
    else if (stalls) this.#stall()
  }

  #crash(): void {
    if (this.#owner === undefined) return
    this.#world.note(`${this.#owner.process.name} crashes`)
    this.#owner.process.condition = 'dead'
    if (!this.#options.stalls) this.#world.cutOff(this.#owner.process)
    this.#forget(this.#owner)
    this.#owner = undefined
  }

  #stall(): void {
    if (this.#owner === undefined) return
    this.#world.note(`${this.#owner.process.name} stalls`)
    this.#owner.process.condition = 'stalled'
    this.#stalled.push(this.#owner)
    this.#owner = undefined
  }

  /** It knows nothing of its successor, and goes on. */
  #wake(): void {
    const sleeper = this.#stalled.shift() as Writer
    this.#world.note(`${sleeper.process.name} wakes up`)
    sleeper.process.condition = 'running'
    this.#write(sleeper)
  }

  #write(writer: Writer): void {
    const { random } = this.#world
    const { process, number, token } = writer
    const isFirst = !writer.hasCreds && writer !== this.#guest
    if (isFirst && writer.locked.size > 0) return
    const ofKeys = writer.keys.filter(key => random.chance(0.5) && !writer.locked.has(key))
    const keys = isFirst ? [CREDS_KEY, ...ofKeys] : ofKeys
    if (keys.length === 0) return
    const record = this.#history.begin(keys, number)
    const isLate = writer !== this.#guest && writer !== this.#owner && this.#owner !== undefined
    const session = Object.fromEntries(ofKeys.map(key => [key, record.value]))
    const creds = isFirst ? toCreds(record) : undefined
    const since = this.#lifetime.now()
    this.#world.note(`${process.name} writes ${JSON.stringify(session)}`)
    this.#start(
      writer,
      async () => {
        const { durability, version } = await process.store.set(
          SESSION,
          { creds, keys: { session } },
          undefined,
          token,
        )
        if (isFirst) writer.hasCreds = true
        // A Redis that has lost the claim cannot refuse: MongoDB does, once it is there.
        if (isLate && durability === 'outbox' && this.#hasLostClaim) return
        if (isLate) throw new Error(`${process.name} has written ${record.value} after it was replaced`)
        this.#acknowledge(record, version, durability)
        this.#lifetime.renew(since, number)
        this.#world.note(`${process.name} has written ${record.value} at ${version}: ${durability}`)
      },
      keys,
    )
  }

  /** Its process goes on, and may hold what MongoDB does not have yet; as an owner it has ended. */
  #delete(owner: Writer): void {
    if (owner.locked.size > 0) return
    const { process, number, token } = owner
    const record = this.#history.beginDeletion(number)
    this.#world.note(`${process.name} deletes the session`)
    this.#owner = undefined
    const deleting = this.#start(owner, async () => {
      const { durability } = await process.store.delete(SESSION, undefined, token)
      record.outcome = 'acknowledged'
      record.isDurable = durability === 'durable'
      this.stats.deleted++
      this.#world.note(`${process.name} has deleted the session: ${durability}`)
    })
    void deleting.then(() => {
      if (this.#owner === undefined) this.#undoable = this.#history.knowsLastLife ? record : undefined
    })
  }

  /** What the deletion has removed is there again, as if nobody had deleted the session. */
  #restore(deletion: WriteRecord): void {
    const process = this.#startProcess()
    const wasDeleted = deletion.outcome === 'acknowledged'
    const undone = this.#history.beginRestoration()
    this.#world.note(`${process.name} restores the session`)
    this.#isRestoring = true
    const restoring = this.#start(undefined, async () => {
      const restored = await process.store.restore(SESSION)
      this.#world.note(`${process.name} has restored the session at ${restored?.version}`)
      if (restored === null) {
        if (wasDeleted && this.#undoable === deletion) throw new Error('a deletion cannot be undone')
        return
      }
      for (const record of undone) record.outcome = 'refused'
      this.stats.restored++
      if (this.#undoable === deletion) this.#undoable = undefined
    })
    void restoring.then(() => {
      this.#isRestoring = false
    })
  }

  #acknowledge(record: WriteRecord, version: number, durability: Durability): void {
    record.outcome = 'acknowledged'
    record.isDurable = durability === 'durable'
    this.stats[record.isDurable ? 'acknowledged' : 'toOutbox']++
    if (this.#versions.has(version) && !this.#options.losesRedis) {
      throw new Error(`version ${version} has been taken twice`)
    }
    this.#versions.add(version)
  }

  #read(writer: Writer): void {
    const { process, locked, token } = writer
    const keys = writer.keys.filter(key => !locked.has(key) && this.#world.random.chance(0.6))
    if (keys.length === 0) return
    this.#start(
      writer,
      async () => {
        const found = (await process.store.getKeys(SESSION, 'session', keys, token)) as Record<string, number>
        if (writer !== this.#owner && writer !== this.#guest) return
        this.#world.note(`${process.name} reads ${keys} as ${JSON.stringify(found)}`)
        for (const key of keys) this.#history.check(key, found[key])
        this.stats.reads++
      },
      keys,
    )
  }

  #readWhole(owner: Writer): void {
    if (owner.locked.size === 0) this.#start(owner, () => this.#checkWhole(owner, KEYS), KEYS)
  }

  async #checkWhole(owner: Writer, keys: readonly string[]): Promise<void> {
    const session = await owner.process.store.get(SESSION)
    if (owner !== this.#owner) return
    if (session === null) {
      if (this.#lifetime.mayBeOver) return // this read does not tell that it is the owner's
      for (const key of [CREDS_KEY, ...keys]) this.#history.check(key, undefined)
      return
    }
    const { registrationId } = session.data.creds
    const values = { ...session.data.keys.session, [CREDS_KEY]: registrationId } as Record<string, number>
    this.#world.note(`${owner.process.name} reads all at ${session.version}: ${JSON.stringify(values)}`)
    this.#history.checkWhole(values, [CREDS_KEY, ...keys])
  }

  #reconcile(owner: Writer): void {
    this.#start(owner, () => owner.process.reconciler.reconcileAll())
  }

  #startProcess(): Numbered {
    const opensDegraded = this.#options.opensDegraded && this.#faults.isOneEnough()
    const number = ++this.#processes
    const mode = { ...this.#options, opensDegraded, hasCache: this.#hasCache }
    return Object.assign(startProcess(this.#world, `p${number}`, mode), { number })
  }

  async #claim(process: Numbered): Promise<void> {
    const { holder } = this.#leases
    const lease = this.#leases.ask()
    const since = this.#lifetime.now()
    const claim = await this.#claimUnlessLocked(process)
    if (claim === undefined) return
    const { fencingToken: token, creds, version } = claim
    if (holder && holder === this.#leases.holder) {
      throw new Error(`${process.name} owns the session while the lease of ${holder.name} lasts`)
    }
    // An eviction may take the claim of an opening by Redis alone; openings of that kind are never at once.
    if (token < this.#highestToken && !this.#options.opensDegraded) {
      // Of openings at once, one may hear of its success after a later owner has opened the session.
      this.#world.note(`${process.name} was replaced before it owned the session by ${token}`)
      return
    }
    this.#world.note(`${process.name} owns the session at ${version} by ${token}`)
    this.#owner = { ...toWriter(process, KEYS), number: process.number, token, hasCreds: creds !== null }
    this.#undoable = undefined
    if (this.#options.leases) this.#leases.grant(process, lease)
    this.#lifetime.check()
    this.#history.changeOwner(process.number)
    this.#history.check(CREDS_KEY, creds?.registrationId as number | undefined)
    if (creds !== null) this.#lifetime.renew(since, process.number)
    this.#highestToken = token
    this.#hasLostClaim = false
    this.stats.opened++
  }

  /** `undefined`: another owner had a lease. It has ended when this resolves. */
  async #claimUnlessLocked({ name, store }: SimProcess): Promise<Claim | undefined> {
    try {
      return await store.claim(SESSION, { exclusive: this.#options.leases === true })
    } catch (error) {
      if (!this.#options.leases || !(error instanceof SessionLockedError)) throw error
      this.#world.note(`${name}: ${error.message}`)
      this.stats.locked++
      await sleep(error.remainingMs)
      return undefined
    }
  }

  #renewLease(owner: Writer): void {
    const { process, token } = owner
    const lease = this.#leases.ask()
    this.#start(owner, async () => {
      await process.store.renewLease(SESSION, token as number)
      if (owner === this.#owner) this.#leases.grant(process, lease)
    })
  }

  /** Until it is open. */
  async #open(): Promise<void> {
    for (let attempts = 0; this.#owner === undefined; attempts++) {
      if (attempts === 20) throw new Error('the session cannot be opened though all is well')
      if (this.#isHalf) await this.#settle(this.#discard())
      await this.#settle(this.#claim(this.#startProcess()))
    }
  }

  /** Runs it among others; `keys` are left to it. */
  #start(
    writer: Writer | undefined,
    action: () => Promise<void>,
    keys: readonly string[] = [],
  ): Promise<void> {
    for (const key of keys) writer?.locked.add(key)
    const task = action()
      .catch(error => this.#judge(error, writer))
      .finally(() => {
        this.#underWay.delete(task)
        for (const key of keys) writer?.locked.delete(key)
      })
    this.#underWay.set(task, writer)
    return task
  }

  #judge(error: unknown, owner: Writer | undefined): void {
    this.#world.note(`${owner?.process.name ?? 'an opening'}: ${(error as Error).message}`)
    const verdict = judge(error, {
      mayBeOlder: owner === undefined && this.#options.restores === true,
      mayBeFenced: this.stats.opened > 1 || this.#options.deletes === true,
      mayBeGone: this.#lifetime.mayBeOver || this.#history.mayBeGone(CREDS_KEY),
    })
    if (verdict === 'violation') this.#violation ??= error as Error
    else if (verdict === 'fenced') {
      this.stats.fenced++
      if (owner === this.#owner) this.#crash() // it ends, as it is told to
    } else this.stats.failed++
    if (verdict === 'half') this.#isHalf = true
  }

  /** As the error advises. */
  async #discard(): Promise<void> {
    this.#crash()
    const { store, number } = this.#startProcess()
    const record = this.#history.beginDeletion(number)
    await this.#start(undefined, async () => {
      await store.delete(SESSION)
      record.outcome = 'acknowledged'
      this.#isHalf = false
    })
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

  #forget(owner: Writer): void {
    for (const [task, of] of this.#underWay) if (of === owner) this.#underWay.delete(task)
  }

  /** All is well again: what was acknowledged is there, in Redis, and in MongoDB without Redis. */
  async #finish(): Promise<void> {
    const world = this.#world
    world.isCalm = true
    world.servers.redis = world.servers.mongo = 'up'
    for (const owner of this.#stalled) owner.process.condition = 'dead'
    await world.run(() => this.#pending() === 0 || this.#violation !== undefined)
    if (this.#violation) throw this.#violation
    await this.#undoLastDeletion()
    for (const ending of ['all is well', 'redis is wiped'] as const) {
      world.note(`the end: ${ending}`)
      this.#crash()
      if (ending === 'redis is wiped') world.redis.restore(new Map())
      await this.#open()
      await this.#settle(this.#checkWhole(this.#owner as unknown as Writer, this.#history.keys))
    }
  }

  /** If nobody has opened the session since it was deleted, it can be restored from MongoDB alone. */
  async #undoLastDeletion(): Promise<void> {
    const deletion = this.#undoable
    if (!this.#options.restores || deletion?.outcome !== 'acknowledged') return
    await this.#settle(this.#startProcess().reconciler.reconcileAll())
    this.#world.redis.restore(new Map())
    this.#world.note('redis is wiped before a restoration')
    this.#restore(deletion)
    await this.#world.run(() => this.#pending() === 0 || this.#violation !== undefined)
    if (this.#violation) throw this.#violation
  }
}

/** One that owns nothing. */
function toWriter(process: SimProcess, keys: readonly string[]): Writer {
  const number = Number.POSITIVE_INFINITY
  return { process, number, token: undefined, keys, locked: new Set(), hasCreds: false }
}

/** Of a paired session: one that was never paired gives way to a restored one. */
function toCreds({ value }: WriteRecord) {
  return { registrationId: value, me: { id: `${value}` } }
}
