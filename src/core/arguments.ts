import { InvalidOptionError } from './errors.js'

const MAX_PAGE_SIZE = 1000

export function checkConditions(sessionId: string, expectedVersion: unknown, fencingToken: unknown): void {
  for (const [name, value] of Object.entries({ expectedVersion, fencingToken })) {
    if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) continue
    throw new InvalidOptionError(`"${name}" must be a whole number of 0 or more, got ${String(value)}`, {
      sessionId,
    })
  }
}

export function checkTtl(ttlSeconds: number): void {
  if (ttlSeconds >= 0) return
  throw new InvalidOptionError(
    `"ttlSeconds" must be a number of seconds, 0 or Infinity, got ${String(ttlSeconds)}`,
  )
}

export function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE_SIZE) return
  throw new InvalidOptionError(`"limit" must be a whole number from 1 to ${MAX_PAGE_SIZE}, got ${limit}`)
}
