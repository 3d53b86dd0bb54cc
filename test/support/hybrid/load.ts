import { expect } from 'vitest'
import type { AuthStore } from '../../../src/index.js'

export const WRITERS = 10
/** Later than that a bot is held up. */
const LATE_MS = 1000
const CREDS = { registrationId: 7 }

export interface LoadReport {
  acknowledged: number
  /** Of them, those that were acknowledged as waiting for MongoDB. */
  toOutbox: number
  /** What calls were refused with. */
  failures: readonly string[]
  late: number
  slowestMs: number
  /** Reads that gave an older value than the writer had been told was kept. */
  stale: number
  /** The last number of each writer that was acknowledged. */
  last: ReadonlyMap<string, number>
}

export interface Load {
  stop(): Promise<LoadReport>
}

export const sessionOf = (writer: number): string => `bot-${writer % (WRITERS / 2)}`

/** Ten writers on five sessions: each writes a growing number to two keys at once, and reads it back. */
export async function startLoad(store: AuthStore): Promise<Load> {
  const report = { acknowledged: 0, toOutbox: 0, late: 0, slowestMs: 0, stale: 0 }
  const failures: string[] = []
  const last = new Map<string, number>()
  let isOver = false
  for (let writer = 0; writer < WRITERS / 2; writer++) {
    // No part of the load: a session's first write needs MongoDB, which may be slow while it starts on a busy machine.
    const begun = () => store.set(sessionOf(writer), { creds: CREDS }).then(() => 'begun', String)
    await expect.poll(begun, { timeout: 120_000 }).toBe('begun')
  }

  const timed = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
    const beganMs = performance.now()
    const result = await call().catch(error => void failures.push(error.stack))
    const tookMs = performance.now() - beganMs
    report.slowestMs = Math.max(report.slowestMs, tookMs)
    if (tookMs > LATE_MS) report.late++
    return result
  }
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    const name = `w${writer}`
    for (let n = 1; !isOver; n++) {
      const session = { [name]: n, [`${name}-twin`]: n }
      const written = await timed(() => store.set(sessionOf(writer), { keys: { session } }))
      if (written) {
        last.set(name, n)
        report.acknowledged++
        if (written.durability === 'outbox') report.toOutbox++
      }
      const found = await timed(() => store.getKeys(sessionOf(writer), 'session', [name]))
      if (found && ((found[name] as number) ?? 0) < (last.get(name) ?? 0)) report.stale++
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  })
  return {
    async stop() {
      isOver = true
      await Promise.all(writers)
      return { ...report, failures, last }
    },
  }
}

/** Acknowledged writes that a store does not have, and writes that it has in part. */
export async function countLosses(
  store: AuthStore,
  { last }: LoadReport,
): Promise<{ lost: number; torn: number }> {
  let lost = 0
  let torn = 0
  for (let writer = 0; writer < WRITERS; writer++) {
    const name = `w${writer}`
    const ids = [name, `${name}-twin`]
    const found = (await store.getKeys(sessionOf(writer), 'session', ids)) as Record<string, number>
    lost += Math.max(0, (last.get(name) ?? 0) - (found[name] ?? 0))
    if (found[name] !== found[`${name}-twin`]) torn++
  }
  return { lost, torn }
}

/** The table in docs/guarantees.md. */
export const FAULT_COLUMNS = [
  'fault',
  'mode',
  'acknowledged',
  'by outbox',
  'lost',
  'torn',
  'stale reads',
  'failed',
  '> 1 s',
  'slowest',
]

export function toRow(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}

/** `losses`: in Redis, and in MongoDB alone. */
export function toFaultRow(
  fault: string,
  mode: string,
  report: LoadReport,
  losses: readonly { lost: number; torn: number }[],
): string {
  const { acknowledged, toOutbox, stale, failures, late, slowestMs } = report
  const lost = Math.max(...losses.map(loss => loss.lost))
  const torn = losses.reduce((sum, loss) => sum + loss.torn, 0)
  const slowest = `${Math.round(slowestMs)} ms`
  return toRow([fault, mode, acknowledged, toOutbox, lost, torn, stale, failures.length, late, slowest])
}
