/** Of any class and realm: some test runners have a realm of their own. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** An object of names and values: no list, `Map` or `Set`. */
export function isTable(value: unknown): value is object {
  return isObject(value) && !(Symbol.iterator in value)
}
