import { types } from 'node:util'
import { InvalidValueError } from '../errors.js'
import { isOpaque, isPlainObject } from '../is-object.js'
import { MAX_PARTS } from './max-parts.js'

/**
 * A value as a tree of objects, arrays, text, numbers, booleans, null and the format's own bytes. Tagged objects stand
 * for the rest:
 *
 *   Uint8Array   {"type":"Uint8Array","data":…}
 *   bigint       {"type":"BigInt","data":"<decimal>"}
 *   NaN, ±Infinity, -0   {"type":"Number","data":"NaN"}
 *   Date         {"type":"Date","data":<milliseconds or null>}
 *   an object that looks like one of the four above, or like this   {"type":"Object","data":{…}}
 *
 * An object that looks like a Buffer becomes one when it is revived. As in JSON, `undefined`, functions and symbols are
 * left out of objects and become `null` in arrays.
 */
const TAGS = new Set(['Uint8Array', 'BigInt', 'Number', 'Date', 'Object'])
const MAX_DEPTH = 200

export type Tree = Record<string, unknown>

/** How a format holds bytes, and what it cannot hold. */
export interface Carrier {
  buffer(bytes: Buffer): unknown
  /** The `data` of a Uint8Array's tag. */
  uint8Array(bytes: Uint8Array): unknown
  /** Throws for a text that would not come back unchanged. */
  checkText?(text: string): void
  /** Throws for a member's name that would not come back unchanged. */
  checkName?(name: string): void
}

/**
 * Returns `value` itself if nothing in it needs a tag, else a copy: most stored values need few tags. Throws
 * `InvalidValueError` for what would be lost: a Map, Set, RegExp, Error or Promise, another typed array, a cycle.
 */
export function toTree(value: unknown, carrier: Carrier): unknown {
  const tree = toNode(value, carrier, 0)
  if (tree === undefined) throw new InvalidValueError(`A value of type ${typeof value} cannot be stored.`)
  return tree
}

/** Whether JSON restores `value` exactly, without a tag: objects of text and numbers. Faster than making a tree. */
export function isPlainJson(value: unknown, depth = 0): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return isJsonNumber(value)
    case 'object':
      if (value === null) return true
      if (depth > MAX_DEPTH) return false
      return Array.isArray(value) ? isPlainArray(value, depth) : isPlainTree(value, depth)
    default:
      return false
  }
}

/** The value that `tree` stands for; reuses the tree's objects. Throws for a tag with invalid data. */
export function fromTree(tree: unknown): unknown {
  if (typeof tree !== 'object' || tree === null || tree instanceof Uint8Array) return tree
  if (Array.isArray(tree)) {
    for (let i = 0; i < tree.length; i++) tree[i] = fromTree(tree[i])
    return tree
  }
  const node = tree as Tree
  if (isTagged(node)) {
    if (node.type === 'Object') return reviveChildren(asObject(node.data))
    const value = reviveBytes(node) ?? reviveScalar(node)
    if (value !== undefined) return value
  }
  return reviveChildren(node)
}

/**
 * The bytes of `{type:'Buffer', data}`, `{buffer: true, data}` and `{type:'Uint8Array', data}`; `undefined` for other
 * objects.
 */
export function reviveBytes(object: Tree): Uint8Array | undefined {
  if (object.type === 'Buffer' || object.buffer === true) return toBuffer(object.data ?? object.value)
  if (object.type === 'Uint8Array') {
    const buffer = toBuffer(object.data)
    return buffer && new Uint8Array(buffer)
  }
  return undefined
}

/** `undefined` for values that JSON leaves out. */
function toNode(value: unknown, carrier: Carrier, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      carrier.checkText?.(value)
      return value
    case 'number':
      return isJsonNumber(value) ? value : { type: 'Number', data: nameNumber(value) }
    case 'boolean':
      return value
    case 'bigint':
      return { type: 'BigInt', data: toDigits(value) }
    case 'object':
      return value === null ? null : fromObject(value, carrier, depth)
    default:
      return undefined
  }
}

function fromObject(value: object, carrier: Carrier, depth: number): unknown {
  if (types.isUint8Array(value)) {
    return Buffer.isBuffer(value)
      ? carrier.buffer(value)
      : { type: 'Uint8Array', data: carrier.uint8Array(value) }
  }
  if (depth > MAX_DEPTH)
    throw new InvalidValueError(`A value is circular, or nested deeper than ${MAX_DEPTH} levels.`)
  if (Array.isArray(value)) return mapArray(value, carrier, depth)
  if (types.isDate(value))
    return { type: 'Date', data: Number.isNaN(value.getTime()) ? null : value.getTime() }
  const isPlain = isPlainObject(value)
  if (!isPlain) checkClass(value)
  // A protobuf message goes member by member: its toJSON writes bytes as bare base64, which a reader cannot tell from
  // text.
  if (hasToJson(value) && !isProtobufMessage(value)) return toNode(value.toJSON(), carrier, depth + 1)
  return mapObject(isPlain ? value : { ...value }, carrier, depth)
}

function checkClass(value: object): void {
  if (!isOpaque(value)) return
  throw new InvalidValueError(`A value holds a ${value.constructor.name}, which would not come back.`)
}

function mapArray(array: unknown[], carrier: Carrier, depth: number): unknown[] {
  // Before it is walked: a list with holes may have 2^32 elements, and take hours.
  if (array.length > MAX_PARTS)
    throw new InvalidValueError(`A value has a list of more than ${MAX_PARTS} elements.`)
  let copy: unknown[] | undefined
  for (let i = 0; i < array.length; i++) {
    const child = toNode(array[i], carrier, depth + 1) ?? null
    if (child === array[i]) continue
    copy ??= array.slice()
    copy[i] = child
  }
  return copy ?? array
}

function mapObject(object: Tree, carrier: Carrier, depth: number): Tree {
  let copy: Tree | undefined
  for (const key of Object.keys(object)) {
    const child = toNode(object[key], carrier, depth + 1)
    if (child !== undefined) carrier.checkName?.(key)
    if (child !== undefined && child === object[key]) continue
    copy ??= { ...object } // the spread copies an own `__proto__` as well
    if (child === undefined) delete copy[key]
    else copy[key] = child
  }
  const tree = copy ?? object
  return isTagged(object) && TAGS.has(object.type) ? { type: 'Object', data: tree } : tree
}

function isPlainArray(array: unknown[], depth: number): boolean {
  if (array.length > MAX_PARTS) return false
  for (let i = 0; i < array.length; i++) if (!isPlainJson(array[i], depth + 1)) return false
  return true
}

function isPlainTree(object: object, depth: number): boolean {
  if (Object.getPrototypeOf(object) !== Object.prototype) return false
  const tree = object as Tree
  if (typeof tree.type === 'string') return false // it may look like a tag
  // Much faster than Object.keys. Inherited names can only make the result false, which is safe.
  for (const name in tree) if (!isPlainJson(tree[name], depth + 1)) return false
  return true
}

function asObject(data: unknown): Tree {
  if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data as Tree
  throw new SyntaxError('The data of an "Object" is no object.')
}

function reviveChildren(tree: Tree): Tree {
  for (const key of Object.keys(tree)) {
    const child = tree[key]
    if (typeof child === 'object' && child !== null) tree[key] = fromTree(child)
  }
  return tree
}

function reviveScalar({ type, data }: { type: string; data: unknown }): unknown {
  if (type === 'BigInt') return toBigInt(data)
  if (type === 'Number') return toSpecialNumber(data)
  if (type === 'Date') return toDate(data)
  return undefined
}

/** Parsing more digits takes longer than reading a value may: 60 million take half a minute. */
const MAX_DIGITS = 10_000
const DIGITS = /^-?[0-9]+$/

function toDigits(value: bigint): string {
  const digits = BigInt.asIntN(4 * MAX_DIGITS, value) === value ? value.toString() : undefined
  if (digits !== undefined && digits.length <= MAX_DIGITS) return digits
  throw new InvalidValueError(`A value holds a bigint of more than ${MAX_DIGITS} digits.`)
}

function toBigInt(data: unknown): bigint {
  if (typeof data === 'string' && data.length <= MAX_DIGITS && DIGITS.test(data)) return BigInt(data)
  throw new SyntaxError('The data of a "BigInt" is no number.')
}

const SPECIAL_NUMBERS: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
])

function toSpecialNumber(data: unknown): number {
  const number = SPECIAL_NUMBERS.get(data)
  if (number !== undefined) return number
  throw new SyntaxError('The data of a "Number" is none of those that JSON lacks.')
}

function toDate(data: unknown): Date {
  const date = new Date(data === null ? Number.NaN : (data as number))
  if (data === null || (typeof data === 'number' && date.getTime() === data)) return date
  throw new SyntaxError('The data of a "Date" is no instant.')
}

function toBuffer(data: unknown): Buffer | undefined {
  if (typeof data === 'string') return Buffer.from(data, 'base64')
  if (data instanceof Uint8Array) return Buffer.from(data)
  if (Array.isArray(data)) return data.every(isByte) ? Buffer.from(data) : undefined
  if (!isPlainObject(data)) return undefined
  const bytes = Object.values(data)
  return bytes.every(isByte) && Object.keys(data).every((key, i) => key === String(i))
    ? Buffer.from(bytes)
    : undefined
}

function isTagged(object: Tree): object is { type: string; data: unknown } {
  return typeof object.type === 'string' && 'data' in object && Object.keys(object).length === 2
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}

function isProtobufMessage(value: object): boolean {
  return typeof (value.constructor as { encode?: unknown } | undefined)?.encode === 'function'
}

const isByte = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255
const isJsonNumber = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0)
const nameNumber = (value: number): string => (Object.is(value, -0) ? '-0' : String(value))
