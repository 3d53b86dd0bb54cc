import { expect, test } from 'vitest'
import { BYPASS_STEP, hasAll } from '../../src/hybrid/durable-side.js'

const head = (version: number) => ({
  exists: true,
  version,
  fence: 1,
  updatedAtMs: 0,
  incarnation: 'one',
  operation: '',
})

test.each([
  ['what it has seen nothing of, at any version', 600_000, 0, 0, true],
  ['what it has seen nowhere but there', 600_000, 600_000, 0, true],
  ['what it has seen in Redis', 10, 10, 10, true],
  ['what has grown since', 600_000, 10, 200_000, true],
  ['what was written past Redis on top of what it has seen', 10 + 3 * BYPASS_STEP, 10, 10, true],
  ['less than it has seen', 9, 10, 0, false],
  ['less than it has seen in Redis', 9, 9, 10, false],
  ['what was written past Redis on less than it has seen there', 9 + BYPASS_STEP, 9 + BYPASS_STEP, 10, false],
])('a process believes MongoDB, or not, with %s', (_what, version, seen, hot, isBelieved) => {
  expect(hasAll(head(version), seen, hot)).toBe(isBelieved)
  expect(hasAll({ ...head(version), exists: false }, seen, hot)).toBe(false)
  expect(hasAll({ ...head(version), isPart: true }, seen, hot)).toBe(false)
})
