import { Bench } from 'tinybench'
import type { Effort } from './effort.js'
import type { Latency } from './figures.js'
import { percentile, toLatency } from './percentile.js'

export interface Entry<T> {
  /** What the samples are of. */
  of: T
  call: () => Promise<unknown>
  /** Before each call, unmeasured. */
  before?: (() => Promise<unknown>) | undefined
  /** After each call, unmeasured. */
  after?: (() => Promise<unknown>) | undefined
  /** After each turn: waits for what has been left to be done in the background. */
  settle?: (() => Promise<unknown>) | undefined
}

interface Running<T> extends Entry<T> {
  samplesMs: number[]
  /** Of a call, one for each turn. */
  cpuMs: number[]
  spentMs: number
  error: Error | undefined
}

export type Outcome<T> = { of: T; latency: Latency; cpuMs: number } | { of: T; error: Error }

const collectGarbage: () => void = globalThis.gc ?? (() => {})

/**
 * One call at a time. In each round every entry has its turn, forwards and backwards by turns, and begins without
 * the garbage of the one before it; its percentiles are those of all its rounds.
 */
export async function measure<T>(entries: readonly Entry<T>[], effort: Effort): Promise<Outcome<T>[]> {
  const all = entries.map(
    (entry): Running<T> => ({ ...entry, samplesMs: [], cpuMs: [], spentMs: 0, error: undefined }),
  )
  for (const entry of all) await takeTurn(entry, effort.warmUpMs)
  for (const entry of all) {
    entry.samplesMs = []
    entry.cpuMs = []
  }
  for (let round = 0; round < effort.rounds; round++) {
    for (const entry of round % 2 === 0 ? all : all.toReversed()) {
      if (!isOver(entry, effort)) await takeTurn(entry, effort.roundMs)
    }
  }
  return all.map(({ of, samplesMs, cpuMs, error }) =>
    error ? { of, error } : { of, latency: toLatency(samplesMs), cpuMs: toBestTenth(cpuMs) },
  )
}

/** Turns that the rest of the machine has disturbed do not count. */
function toBestTenth(cpuMs: readonly number[]): number {
  return percentile(
    cpuMs.toSorted((a, b) => a - b),
    0.1,
  )
}

function isOver({ samplesMs, spentMs, error }: Running<unknown>, effort: Effort): boolean {
  if (error !== undefined) return true
  if (samplesMs.length === 0) return false
  if (spentMs > effort.patienceMs) return true
  return samplesMs.length >= effort.minSamples && spentMs > effort.rounds * effort.roundMs
}

async function takeTurn<T>(entry: Running<T>, time: number): Promise<void> {
  const bench = new Bench({ time, iterations: 1, warmup: false, retainSamples: true })
  let cpuUs = 0
  let began = process.cpuUsage()
  bench.add('turn', entry.call, {
    async: true,
    beforeAll: collectGarbage,
    async beforeEach() {
      await entry.before?.()
      began = process.cpuUsage()
    },
    async afterEach() {
      const { user, system } = process.cpuUsage(began)
      cpuUs += user + system
      await entry.after?.()
    },
    afterAll: async () => void (await entry.settle?.()),
  })
  const beganMs = performance.now()
  const [turn] = await bench.run()
  entry.spentMs += performance.now() - beganMs
  const result = turn?.result
  if (result?.state === 'completed') {
    const samples = result.latency.samples ?? []
    entry.samplesMs.push(...samples)
    entry.cpuMs.push(cpuUs / 1000 / samples.length)
  } else entry.error = result?.state === 'errored' ? result.error : new Error(`it was ${result?.state}`)
}
