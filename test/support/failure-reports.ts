import { afterEach } from 'vitest'

const reports = new Set<() => Promise<string>>()
let isReported = false

/** After the first test of a file that fails, `describe` says what a server does. Returns how to forget it. */
export function describeOnFailure(describe: () => Promise<string>): () => void {
  reports.add(describe)
  return () => void reports.delete(describe)
}

/** A setup file of Vitest: a server that does not answer is explained by its own state, not by the caller's error. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail' || isReported) return
  isReported = true
  for (const describe of reports) process.stderr.write(`${await describe().catch(String)}\n`)
})
