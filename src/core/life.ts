/** Longer than that is for ever: databases count in 64 bits, and dates end before. */
const MAX_LIFE_SECONDS = 100 * 365 * 24 * 60 * 60

/** Seconds that a session lives, as milliseconds; 0 and Infinity are for ever, which is `null`. */
export function toLifeMs(seconds: number): number | null {
  return seconds === 0 || seconds > MAX_LIFE_SECONDS ? null : Math.ceil(seconds * 1000)
}
