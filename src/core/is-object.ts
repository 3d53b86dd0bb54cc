import { types } from 'node:util'

/** Of any class and realm: some test runners have a realm of their own. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** An object literal, of this realm. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** An object of names and values: no list, `Map` or `Set`. */
export function isTable(value: unknown): value is object {
  return isObject(value) && !(Symbol.iterator in value) && (isPlainObject(value) || !isOpaque(value))
}

/** Whether what the object holds is not in its members. Of any realm, unlike `instanceof`. */
export function isOpaque(value: object): boolean {
  const isCollection =
    types.isMap(value) || types.isSet(value) || types.isWeakMap(value) || types.isWeakSet(value)
  const areBytes = types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value)
  const isRun = types.isPromise(value) || types.isGeneratorObject(value)
  const isError = types.isNativeError(value) || value instanceof Error
  return (
    isCollection || areBytes || isRun || isError || types.isRegExp(value) || types.isBoxedPrimitive(value)
  )
}
