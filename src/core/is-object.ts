import { types } from 'node:util'

/** Of any class and realm: some test runners have a realm of their own. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** An object of names and values: no list, `Map` or `Set`. */
export function isTable(value: unknown): value is object {
  return isObject(value) && !(Symbol.iterator in value) && !isOpaque(value)
}

const OPAQUE = [
  types.isMap,
  types.isSet,
  types.isWeakMap,
  types.isWeakSet,
  types.isRegExp,
  types.isNativeError,
  types.isPromise,
  types.isAnyArrayBuffer,
  types.isBoxedPrimitive,
  types.isGeneratorObject,
]

/** Whether what the object holds is not in its members. Of any realm, unlike `instanceof`. */
export function isOpaque(value: object): boolean {
  return OPAQUE.some(isOfType => isOfType(value)) || ArrayBuffer.isView(value) || value instanceof Error
}
