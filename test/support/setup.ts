import { afterEach } from 'vitest'
import { describeServers } from './failure-reports.js'

let isReported = false

/** A server that does not answer is explained by its own state, not by the caller's error: once a file. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail' || isReported) return
  isReported = true
  for (const description of await describeServers()) process.stderr.write(`${description}\n`)
})
