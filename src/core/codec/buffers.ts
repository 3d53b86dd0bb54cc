import { toBuffer } from '../bytes.js'
import { isPlainObject } from '../is-object.js'
import { type Carrier, fromTree, isPlainJson, reviveBytes, toTree } from './value-tree.js'

/** Bytes as in Baileys' BufferJSON; see value-tree.ts for the rest. */
const JSON_CARRIER: Carrier = {
  buffer: bytes => ({ type: 'Buffer', data: bytes.toString('base64') }),
  uint8Array: bytes => toBuffer(bytes).toString('base64'),
}

/**
 * JSON from which `deserialize` restores the value without loss, including bytes, bigints and dates. Throws
 * `InvalidValueError` for what would be lost: a Map, Set, RegExp, Error or Promise, another typed array, a cycle.
 */
export function serialize(value: unknown): string {
  return JSON.stringify(isPlainJson(value) ? value : toTree(value, JSON_CARRIER))
}

/** Throws `SyntaxError` if `text` is not JSON. The error quotes nothing of it. */
export function deserialize(text: string): unknown {
  const tree = parseJson(text)
  const mayHaveTags = text.includes('"type"') || text.includes('\\u') // an escape may spell "type"
  return mayHaveTags ? fromTree(tree) : tree
}

/** Throws `SyntaxError`, which quotes nothing of the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new SyntaxError('The text is not JSON.') // the engine's own message quotes it
  }
}

/**
 * A copy of `value` in which every stand-in for bytes is bytes again: `{type:'Buffer', data}` with base64, an array, an
 * object with digit keys or bytes as its data, the old `{buffer: true, data}`, and `{type:'Uint8Array', data}`. Real
 * Buffers and Uint8Arrays stay as they are. Does not change the input.
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
