import { isDeepStrictEqual } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { openAuthState } from '../../../src/core/hook/auth-state.js'
import { type AuthStore, StoreError, type StoreErrorCode } from '../../../src/index.js'
import { makePairedCreds } from '../../support/baileys-values.js'
import { Random } from '../../support/simulation/random.js'
import { damage } from '../../support/stored-bytes/damage.js'
import type { FuzzPlace } from '../../support/stored-bytes/fuzz-place.js'
import type { StoredMember } from '../../support/stored-bytes/stored-member.js'
import { KEY } from './harness.js'

/** `FUZZ_SEED=n` repeats seed n, `FUZZ_SEEDS=n` tries n seeds, `FUZZ_FROM=n` begins with seed n. */
const { FUZZ_SEED, FUZZ_SEEDS, FUZZ_FROM = '0' } = process.env
setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')
const DEADLINE_MS = 10_000
const MAX_GROWTH_BYTES = 200 * 1024 * 1024
/** The errors that the calls below may meet: each call is valid, and every server answers. */
const CODES: readonly StoreErrorCode[] = [
  'CORRUPT_VALUE',
  'DECRYPTION_FAILED',
  'UNSUPPORTED_FORMAT',
  'SESSION_INCOMPLETE',
  'IDENTITY_CONFLICT',
  'FENCED',
  'SESSION_LOCKED',
]

interface Scene {
  readonly victim: string
  readonly neighbour: string
  readonly reader: AuthStore
  readonly creds: ReturnType<typeof makePairedCreds>
  /** Whether the library can detect changed creds. */
  readonly isSealed: boolean
  readonly member: StoredMember
  /** The creds that another record has, which stand for themselves in the clear. */
  readonly others: ReturnType<typeof makePairedCreds>
  /** The creds of both, as they are read when nothing is damaged. */
  readonly stored: string
  readonly storedByNeighbour: string
  mayBeAbsent: boolean
}

/**
 * Each seed damages one member of one stored record of a session. A store that has never seen it then answers soon,
 * rightly or with a typed error, and no other session is harmed.
 */
export function describeStoredBytes(name: string, create: () => Promise<FuzzPlace>, seeds: number): void {
  const count = FUZZ_SEED === undefined ? Number(FUZZ_SEEDS ?? seeds) : 1
  const first = Number(FUZZ_SEED ?? FUZZ_FROM)
  test(
    `${name}: a stored record damaged by one of ${seeds} seeds gives a typed error or the right answer`,
    async () => {
      const place = await create()
      const stores = new Map<string, Promise<{ writer: AuthStore; reader: AuthStore }>>()
      const open = async (options: { masterKey?: string }) => ({
        writer: await place.open(options),
        reader: await place.open(options),
      })
      const failures: string[] = []
      try {
        for (let seed = first; seed < first + count; seed++) {
          const random = new Random(seed)
          const options = random.chance(0.5) ? { masterKey: KEY } : {}
          const kind = JSON.stringify(options)
          if (!stores.has(kind)) stores.set(kind, open(options))
          const both = (await stores.get(kind)) as { writer: AuthStore; reader: AuthStore }
          const failure = await tryOne(place, both, seed, random, options.masterKey !== undefined)
          if (failure !== undefined) failures.push(`${name}, FUZZ_SEED=${seed}: ${failure}`)
        }
        expect(failures.join('\n')).toBe('')
      } finally {
        for (const both of stores.values()) {
          const { writer, reader } = await both
          await Promise.all([writer.close(), reader.close()])
        }
        await place.remove()
      }
    },
    60_000 + count * 5000,
  )
}

/** What went wrong, if anything did. */
async function tryOne(
  place: FuzzPlace,
  { writer, reader }: { writer: AuthStore; reader: AuthStore },
  seed: number,
  random: Random,
  isSealed: boolean,
): Promise<string | undefined> {
  const [victim, neighbour] = [`victim-${seed}`, `neighbour-${seed}`]
  const [creds, others] = [makePairedCreds(), makePairedCreds('15550002222:1@s.whatsapp.net')]
  const stored = await write(place, writer, victim, creds)
  const storedByNeighbour = await write(place, writer, neighbour, others)
  const members = await place.of(victim)
  const foreign = [...members, ...(await place.of(neighbour))].flatMap(({ value }) => value ?? [])
  if (random.chance(0.5)) await place.cool?.(victim)
  const began = heapBytes()
  const { member, kind } = await harm(random, members, foreign)
  const mayBeAbsent = member.holds === 'life'
  const known = { creds, others, stored, storedByNeighbour }
  const scene: Scene = { ...known, victim, neighbour, reader, isSealed, member, mayBeAbsent }
  const calls: string[] = []
  try {
    for (let n = 1 + random.whole(4); n > 0; n--) {
      const [call, run] = random.pick(Object.entries(CALLS))
      calls.push(call)
      await within(run(scene))
    }
    calls.push('the neighbour')
    await within(expectSound(scene))
    if (hasGrown(began)) throw new Error(`the heap has grown by more than ${MAX_GROWTH_BYTES} bytes`)
    return undefined
  } catch (error) {
    const told =
      error instanceof Error
        ? `${error.stack}`.split('\n').slice(0, 5).join('\n').slice(0, 800)
        : String(error)
    return `${member.name}: ${kind}, ${isSealed ? 'sealed' : 'in the clear'}; ${calls.join(', ')}: ${told}`
  } finally {
    await place.clear(victim)
    await place.clear(neighbour)
  }
}

async function write(place: FuzzPlace, store: AuthStore, sessionId: string, creds: object): Promise<string> {
  const { fencingToken } = await store.claim(sessionId)
  const set = (patch: object) => store.set(sessionId, patch, undefined, fencingToken)
  await set({ creds })
  await set({ keys: { session: { a: 1, b: { text: 'of b' } }, 'pre-key': { 1: Buffer.alloc(40, 1) } } })
  await place.settle?.(store)
  await set({ keys: { session: { a: 2, b: null } } })
  return toText((await store.get(sessionId))?.data.creds)
}

/** Repeats until the database accepts the damage: a typed column refuses much. */
async function harm(random: Random, members: StoredMember[], others: unknown[]) {
  for (;;) {
    const member = random.pick(members)
    const { kind, value } = damage(random, member.value, others)
    try {
      await member.put(value)
      return { member, kind }
    } catch {
      // Nothing has changed.
    }
  }
}

type Call = (scene: Scene) => Promise<unknown>

const CALLS: Record<string, Call> = {
  get: scene =>
    refusedOr(async () => {
      const found = await scene.reader.get(scene.victim)
      if (found === null) expectMayBeAbsent(scene)
      else expectCreds(scene, found.data.creds)
    }),
  getKeys: scene =>
    refusedOr(async () => {
      const found = await scene.reader.getKeys(scene.victim, 'session', ['a', 'b', 'c'])
      const isKnown = 'a' in found ? found.a === 1 || found.a === 2 : true
      if (scene.isSealed && !isKnown) throw new Error('another key than the one that was stored')
    }),
  set: scene => refusedOr(() => scene.reader.set(scene.victim, { keys: { session: { fuzz: 1 } } })),
  claim: scene =>
    refusedOr(async () => {
      const { creds } = await scene.reader.claim(scene.victim)
      if (creds === null) expectMayBeAbsent(scene)
      else expectCreds(scene, creds)
    }),
  listKeys: scene => refusedOr(() => scene.reader.listKeys(scene.victim)),
  exists: scene =>
    refusedOr(async () => {
      if (!(await scene.reader.exists(scene.victim))) expectMayBeAbsent(scene)
    }),
  list: async ({ reader, neighbour }) => {
    for await (const { sessionId } of reader.sessions()) if (sessionId === neighbour) return
    throw new Error('the neighbour is missing from the list')
  },
  touch: scene => refusedOr(() => scene.reader.touch(scene.victim)),
  delete: scene =>
    refusedOr(async () => {
      await scene.reader.delete(scene.victim)
      scene.mayBeAbsent = true
    }),
  open: scene =>
    refusedOr(async () => {
      const { reader: store, victim: sessionId } = scene
      const handle = await openAuthState({ store, sessionId })
      await handle.close()
      if (!scene.mayBeAbsent) expectCreds(scene, handle.state.creds)
    }),
  reconcileOutbox: ({ reader }) =>
    refusedOr(async () => {
      if ('reconcileOutbox' in reader) await (reader.reconcileOutbox as () => Promise<void>)()
    }),
}

async function refusedOr(call: () => Promise<unknown>): Promise<void> {
  try {
    await call()
  } catch (error) {
    if (!(error instanceof StoreError && CODES.includes(error.code))) throw error
  }
}

function expectMayBeAbsent({ mayBeAbsent }: Scene): void {
  if (!mayBeAbsent) throw new Error('the session is said to be absent')
}

/** In the clear a swapped value cannot be detected, but an identity that was never stored must not appear. */
function expectCreds({ creds, others, stored, isSealed, member, mayBeAbsent }: Scene, found: unknown): void {
  if (mayBeAbsent) return
  const isWhole = isSealed || member.holds !== 'creds'
  if (toText(found) === stored || (!isWhole && isStored(found, [creds, others]))) return
  throw new Error(`other creds than those that were stored: ${toText(found).slice(0, 200)}`)
}

function isStored(found: unknown, known: readonly ReturnType<typeof makePairedCreds>[]): boolean {
  const { registrationId, noiseKey } = Object(found) as Partial<ReturnType<typeof makePairedCreds>>
  return known.some(
    creds =>
      registrationId === creds.registrationId || toText(noiseKey?.public) === toText(creds.noiseKey.public),
  )
}

function toText(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    part instanceof Uint8Array || part?.type === 'Buffer'
      ? Buffer.from(part.data ?? part).toString('hex')
      : part,
  )
}

async function expectSound({ neighbour, reader, storedByNeighbour }: Scene): Promise<void> {
  const { data } = (await reader.get(neighbour)) ?? {}
  if (toText(data?.creds) !== storedByNeighbour) throw new Error('the neighbour has other creds')
  await reader.set(neighbour, { keys: { session: { c: 3 } } })
  const keys = await reader.getKeys(neighbour, 'session', ['a', 'b', 'c'])
  if (!isDeepStrictEqual({ ...keys }, { a: 2, c: 3 }))
    throw new Error(`the neighbour has ${JSON.stringify(keys)}`)
}

async function within<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not settled within ${DEADLINE_MS} ms`)), DEADLINE_MS)
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}

function heapBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Garbage does not count. It is collected only when the limit is reached, since that takes a while. */
function hasGrown(began: number): boolean {
  if (heapBytes() - began <= MAX_GROWTH_BYTES) return false
  collectGarbage()
  return heapBytes() - began > MAX_GROWTH_BYTES
}
