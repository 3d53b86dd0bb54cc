import type { Failure, Figure, Results } from './figures.js'
import type { Outcome } from './measure.js'

export type Measured = Omit<Figure, 'samples' | 'p50Ms' | 'p99Ms' | 'cpuMs'>

/** Collects the results, and says how it goes. */
export class Recorder {
  readonly results: Pick<Results, 'figures' | 'codec' | 'setting' | 'failures'> = {
    figures: [],
    codec: [],
    setting: [],
    failures: [],
  }
  readonly #beganMs = performance.now()

  say(text: string): void {
    const seconds = Math.round((performance.now() - this.#beganMs) / 1000)
    console.log(`${String(seconds).padStart(5)} s  ${text}`)
  }

  note(outcomes: readonly Outcome<Measured>[]): void {
    for (const outcome of outcomes) {
      if ('error' in outcome) this.fail(describe(outcome.of), outcome.error)
      else this.results.figures.push({ ...outcome.of, ...outcome.latency, cpuMs: outcome.cpuMs })
    }
  }

  fail(what: string, error: unknown): void {
    const failure: Failure = { what, reason: (error as Error).message }
    this.results.failures.push(failure)
    this.say(`failed: ${what}: ${failure.reason}`)
  }
}

export function describe({ store, operation, contender, keys }: Measured): string {
  return `${store}, ${operation}, ${contender}, ${keys.toLocaleString('en')} keys`
}
