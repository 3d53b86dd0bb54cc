import { describe, expect, test, vi } from 'vitest'
import { KINDS } from '../support/simulation/kinds.js'
import { runSchedule } from '../support/simulation/schedule.js'
import type { ScheduleStats } from '../support/simulation/schedule-options.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** The number of schedules, over all kinds. */
const SCHEDULES = Number(process.env.SIMULATION_SCHEDULES ?? 2000)
const FIRST_SEED = Number(process.env.SIMULATION_FIRST_SEED ?? 1)
/** Runs the schedule of this seed only, and prints its history. */
const SEED = process.env.SIMULATION_SEED

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
