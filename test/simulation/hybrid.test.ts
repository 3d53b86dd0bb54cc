import { describe, expect, test, vi } from 'vitest'
import { runSchedule, type ScheduleOptions, type ScheduleStats } from '../support/simulation/schedule.js'

// The module's own timers are not those that are made virtual.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** Of all kinds together. */
const SCHEDULES = Number(process.env.SIMULATION_SCHEDULES ?? 2000)
const FIRST_SEED = Number(process.env.SIMULATION_FIRST_SEED ?? 1)
/** Runs this one only, with its history. */
const SEED = process.env.SIMULATION_SEED

const ALL = {
  isWriteBehind: false,
  opensDegraded: false,
  losesRedis: false,
  stalls: true,
  hasGuest: false,
}
const KINDS: Record<string, ScheduleOptions> = {
  'write-through': ALL,
  'write-behind': { ...ALL, isWriteBehind: true },
  'write-through, two processes': { ...ALL, hasGuest: true },
  'write-behind, two processes': { ...ALL, isWriteBehind: true, hasGuest: true },
  'write-through, Redis loses data': { ...ALL, losesRedis: true },
  'write-behind, Redis loses data': { ...ALL, isWriteBehind: true, losesRedis: true },
  'write-through, deletions': { ...ALL, deletes: true },
  'write-behind, deletions': { ...ALL, isWriteBehind: true, deletes: true },
  'write-through, deletions, Redis loses data': { ...ALL, deletes: true, losesRedis: true },
  // An owner that wakes up may find the one of the two that has not been told of its successor: docs/hybrid.md.
  'write-through, opened without one of the two': { ...ALL, opensDegraded: true, stalls: false },
}

describe('the hybrid store under faults', () => {
  test.each(Object.entries(KINDS))(
    '%s: keeps its promises',
    async (kind, options) => {
      const count = SEED ? 1 : Math.ceil(SCHEDULES / Object.keys(KINDS).length)
      const first = Number(SEED ?? FIRST_SEED)
      const sum: Partial<ScheduleStats> = {}
      for (let seed = first; seed < first + count; seed++) {
        const stats = await runSchedule(seed, options)
        for (const [name, value] of Object.entries(stats) as [keyof ScheduleStats, number][]) {
          sum[name] = (sum[name] ?? 0) + value
        }
      }
      process.stdout.write(`${kind}: ${count} schedules, ${JSON.stringify(sum)}\n`)
      if (SEED) return
      expect((sum.acknowledged ?? 0) + (sum.toOutbox ?? 0)).toBeGreaterThan(count)
    },
    36_000_000,
  )
})
