import { createHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** Of monitorEventLoopDelay, which counts the wait for its own timer as well. */
const RESOLUTION_MS = 10

export interface Percentiles {
  p50Ms: number
  p99Ms: number
  maxMs: number
}

/** What a phase costs the process. */
export interface Load {
  seconds: number
  loopDelay: Percentiles
  /** Of one core. */
  cpuPercent: number
}

export function watchLoad(): { stop(): Load } {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  const cpu = process.cpuUsage()
  const beganMs = performance.now()
  delays.enable()
  return {
    stop() {
      delays.disable()
      const { user, system } = process.cpuUsage(cpu)
      const seconds = (performance.now() - beganMs) / 1000
      const late = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS)
      return {
        seconds,
        loopDelay: {
          p50Ms: late(delays.percentile(50)),
          p99Ms: late(delays.percentile(99)),
          maxMs: late(delays.max),
        },
        cpuPercent: (user + system) / 1e4 / seconds,
      }
    },
  }
}

/** Times of calls; it takes the same memory for any number of them. */
export class Times {
  readonly #histogram = createHistogram()

  get count(): number {
    return this.#histogram.count
  }

  async measure<T>(call: () => Promise<T>): Promise<T> {
    const beganMs = performance.now()
    const result = await call()
    this.#histogram.record(Math.max(1, Math.round((performance.now() - beganMs) * 1000)))
    return result
  }

  get percentiles(): Percentiles {
    const toMs = (micros: number) => micros / 1000
    return {
      p50Ms: toMs(this.#histogram.percentile(50)),
      p99Ms: toMs(this.#histogram.percentile(99)),
      maxMs: toMs(this.#histogram.max),
    }
  }
}
