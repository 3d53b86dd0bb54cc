import { InvalidValueError } from './errors.js'

/**
 * Values as JSON, and back without loss. JSON lacks these, so they travel as tagged objects:
 *
 *   Buffer       {"type":"Buffer","data":"<base64>"}      as Baileys' BufferJSON writes it
 *   Uint8Array   {"type":"Uint8Array","data":"<base64>"}
 *   bigint       {"type":"BigInt","data":"<decimal>"}
 *   NaN, ±Infinity, -0   {"type":"Number","data":"NaN"}
 *   Date         {"type":"Date","data":<milliseconds or null>}
 *   an object that looks like one of the four above, or like this   {"type":"Object","data":{…}}
 *
 * An object that looks like a Buffer becomes one: that is what reviving means.
 * As in JSON, `undefined`, functions and symbols are left out of objects and become `null` in arrays.
 */
const TAGS = new Set(['Uint8Array', 'BigInt', 'Number', 'Date', 'Object'])
const MAX_DEPTH = 200

type Tree = Record<string, unknown>

/** Throws `InvalidValueError` for what would not come back: a Map, Set, RegExp, Error or Promise, another typed
 * array, a cycle. */
export function serialize(value: unknown): string {
  const text = JSON.stringify(toTree(value, 0))
  if (text === undefined) throw new InvalidValueError(`A value of type ${typeof value} cannot be stored.`)
  return text
}

/** Throws `SyntaxError` when `text` is no JSON. */
export function deserialize(text: string): unknown {
  return reviveInPlace(JSON.parse(text))
}

/**
 * A copy of `value` in which everything that stands for bytes is bytes again: `{type:'Buffer', data}` with base64,
 * an array, an object with digit keys or bytes as its data, the old `{buffer: true, data}`, and
 * `{type:'Uint8Array', data}`. Real Buffers and Uint8Arrays stay what they are. The input is left as it was.
 */
export function deepBufferRevive<T = unknown>(value: unknown): T {
  return revived(value) as T
}

function revived(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revived)
  if (!isPlainObject(value)) return value
  const bytes = reviveBytes(value)
  if (bytes !== undefined) return bytes
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, revived(child)]))
}

/** `value` itself where nothing in it needs a tag, else a copy: most of what is stored needs few. */
function toTree(value: unknown, depth: number): unknown {
  if (typeof value === 'number')
    return isJsonNumber(value) ? value : { type: 'Number', data: nameNumber(value) }
  if (typeof value === 'bigint') return { type: 'BigInt', data: value.toString() }
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return tagBytes(value)
  if (depth > MAX_DEPTH)
    throw new InvalidValueError(`A value is circular, or nested deeper than ${MAX_DEPTH} levels.`)
  if (value instanceof Date) return { type: 'Date', data: value.getTime() }
  if (
    value instanceof Map ||
    value instanceof Set ||
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof RegExp ||
    value instanceof Error ||
    value instanceof Promise
  ) {
    throw new InvalidValueError(`A value holds a ${value.constructor.name}, which JSON would lose.`)
  }
  if (Array.isArray(value)) return mapArray(value, depth)
  if (hasToJson(value) && !isProtobufMessage(value)) return toTree(value.toJSON(), depth + 1)
  return mapObject(value as Tree, depth)
}

function mapArray(array: unknown[], depth: number): unknown[] {
  let copy: unknown[] | undefined
  for (let i = 0; i < array.length; i++) {
    const child = toTree(array[i], depth + 1)
    if (child === array[i]) continue
    copy ??= array.slice()
    copy[i] = child
  }
  return copy ?? array
}

function mapObject(object: Tree, depth: number): Tree {
  // Without a prototype, so that a key named __proto__ stays a key. A message's own toJSON would turn bytes to text.
  let copy: Tree | undefined = hasToJson(object) ? Object.assign(Object.create(null), object) : undefined
  for (const key of Object.keys(object)) {
    const child = toTree(object[key], depth + 1)
    if (child === object[key]) continue
    copy ??= Object.assign(Object.create(null), object) as Tree
    copy[key] = child
  }
  const tree = copy ?? object
  return isTagged(object) && TAGS.has(object.type) ? { type: 'Object', data: tree } : tree
}

function reviveInPlace(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node
  if (Array.isArray(node)) {
    for (let i = 0; i < node.length; i++) node[i] = reviveInPlace(node[i])
    return node
  }
  const tree = node as Tree
  if (isTagged(tree)) {
    if (tree.type === 'Object') return reviveChildren(asObject(tree.data))
    const value = reviveBytes(tree) ?? reviveScalar(tree)
    if (value !== undefined) return value
  }
  return reviveChildren(tree)
}

function asObject(data: unknown): Tree {
  if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data as Tree
  throw new SyntaxError('The data of an "Object" is no object.')
}

function reviveChildren(tree: Tree): Tree {
  for (const key of Object.keys(tree)) {
    const child = tree[key]
    if (typeof child === 'object' && child !== null) tree[key] = reviveInPlace(child)
  }
  return tree
}

function reviveScalar({ type, data }: { type: string; data: unknown }): unknown {
  if (type === 'BigInt') return BigInt(data as string)
  if (type === 'Number') return Number(data)
  if (type === 'Date') return new Date(data === null ? Number.NaN : (data as number))
  return undefined
}

function reviveBytes(object: Tree): Uint8Array | undefined {
  if (object.type === 'Buffer' || object.buffer === true) return toBuffer(object.data ?? object.value)
  if (object.type === 'Uint8Array') {
    const buffer = toBuffer(object.data)
    return buffer && new Uint8Array(buffer)
  }
  return undefined
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

function tagBytes(bytes: Uint8Array) {
  if (Buffer.isBuffer(bytes)) return { type: 'Buffer', data: bytes.toString('base64') }
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { type: 'Uint8Array', data: view.toString('base64') }
}

function isTagged(object: Tree): object is { type: string; data: unknown } {
  return typeof object.type === 'string' && 'data' in object && Object.keys(object).length === 2
}

function isPlainObject(value: unknown): value is Tree {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}

/** Stored field by field: its toJSON writes bytes as bare base64, which nothing can tell from text. */
function isProtobufMessage(value: object): boolean {
  return typeof (value.constructor as { encode?: unknown } | undefined)?.encode === 'function'
}

const isByte = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255
const isJsonNumber = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0)
const nameNumber = (value: number): string => (Object.is(value, -0) ? '-0' : String(value))
