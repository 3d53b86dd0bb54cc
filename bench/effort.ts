/** How long is measured. */
export interface Effort {
  /** Contenders take turns in so many rounds, so that a machine that slows down does so for all. */
  rounds: number
  roundMs: number
  warmUpMs: number
  /** Samples at the least, unless they take longer than `patienceMs`. */
  minSamples: number
  /** A contender that has taken that long has no further turn, however few its samples are. */
  patienceMs: number
  /** Of the seed's setting, for each contender. */
  settingMs: number
  /** Keys in a session. Filling 10,000 of the peer, which writes the whole session for each, takes most of a minute. */
  sizes: readonly number[]
}

export const FULL: Effort = {
  rounds: 12,
  roundMs: 50,
  warmUpMs: 150,
  minSamples: 5,
  patienceMs: 8000,
  settingMs: 20_000,
  sizes: [100, 1000, 10_000],
}

export const QUICK: Effort = {
  rounds: 3,
  roundMs: 20,
  warmUpMs: 30,
  minSamples: 3,
  patienceMs: 500,
  settingMs: 1000,
  sizes: [1000],
}
