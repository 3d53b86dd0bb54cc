import { toBuffer } from '../bytes.js'
import { type Carrier, fromTree, isPlainJson, isPlainObject, reviveBytes, toTree } from './value-tree.js'

/** Bytes as Baileys' BufferJSON writes them; see value-tree.ts for the rest. */
const JSON_CARRIER: Carrier = {
  buffer: bytes => ({ type: 'Buffer', data: bytes.toString('base64') }),
  uint8Array: bytes => toBuffer(bytes).toString('base64'),
}

/**
 * A value as JSON that `deserialize` gives back without loss, bytes, bigints and dates among it. Throws
 * `InvalidValueError` for what would not come back: a Map, Set, RegExp, Error or Promise, another typed array, a cycle.
 */
export function serialize(value: unknown): string {
  return JSON.stringify(isPlainJson(value) ? value : toTree(value, JSON_CARRIER))
}

/** Throws `SyntaxError` when `text` is no JSON. */
export function deserialize(text: string): unknown {
  const tree = JSON.parse(text)
  const mayHaveTags = text.includes('"type"') || text.includes('\\u') // which may spell it as well
  return mayHaveTags ? fromTree(tree) : tree
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
