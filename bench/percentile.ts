import type { Latency } from './figures.js'

/** The nearest rank: the smallest sample that so many of all are not above. */
export function percentile(sorted: readonly number[], part: number): number {
  const rank = Math.max(1, Math.ceil(part * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

export function toLatency(samplesMs: readonly number[]): Latency {
  const sorted = samplesMs.toSorted((a, b) => a - b)
  return { samples: sorted.length, p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) }
}
