import { vi } from 'vitest'

const START_MS = Date.UTC(2030, 0, 1)
const realRandom = Math.random

/** Timers, clocks and `Math.random` are the schedule's, until the result is called. */
export function beginVirtualTime(random: () => number): () => void {
  vi.useFakeTimers({
    now: START_MS,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  })
  Math.random = random
  return () => {
    Math.random = realRandom
    vi.clearAllTimers()
    vi.useRealTimers()
  }
}
