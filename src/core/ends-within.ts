import { setTimeout as sleep } from 'node:timers/promises'

/** Waits for work, for so long at the most; whether it has ended. What it fails with is thrown. */
export function endsWithin(timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
  const gaveUp = sleep(timeoutMs, false, { ref: false })
  return Promise.race([work.then(() => true), gaveUp])
}
