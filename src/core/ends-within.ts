import { setTimeout as sleep } from 'node:timers/promises'

/** Waits for work, for at most `timeoutMs`. Returns whether it has ended, and throws its error. */
export function endsWithin(timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
  const gaveUp = sleep(timeoutMs, false, { ref: false })
  return Promise.race([work.then(() => true), gaveUp])
}
