/** Deeper options are not compared. */
const MAX_DEPTH = 5

/** Whether two options that look alike are alike: functions, agents and contexts may not be. */
export function isPlain(value: unknown, depth = 0): boolean {
  if (typeof value === 'function' || depth > MAX_DEPTH) return false
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return true
  const isData = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
  return isData && Object.values(value).every(child => isPlain(child, depth + 1))
}
