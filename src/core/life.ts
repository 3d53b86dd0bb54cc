/** Seconds that a session lives, as milliseconds; 0 and Infinity are for ever, which is `null`. */
export function toLifeMs(seconds: number): number | null {
  return seconds === 0 || seconds === Number.POSITIVE_INFINITY ? null : Math.ceil(seconds * 1000)
}
