import { Packr } from 'msgpackr'
import { toBuffer } from '../bytes.js'
import { InvalidValueError } from '../errors.js'
import { type Carrier, fromTree, toTree } from './value-tree.js'

/**
 * Values as MessagePack (the specification of msgpack.org): core types only, so that any reader knows them. Bytes are
 * bytes; other types that MessagePack lacks become the tagged objects of value-tree.ts.
 */
const packr = new Packr({
  useRecords: false,
  // Unpacked values share no memory with the packed bytes: callers write into them.
  copyBuffers: true,
})

/** The name "type" of every tag, packed. */
const TYPE = Buffer.from('\xa4type', 'latin1')

/** Thrown for text that UTF-8 would change, and for names with a meaning to msgpackr. */
class Inexact extends Error {}

const CARRIER: Carrier = {
  buffer: bytes => bytes,
  uint8Array: toBuffer,
  checkText(text) {
    if (!text.isWellFormed()) throw new Inexact()
  },
  checkName(name) {
    if (name === '__proto__' || name === 'toJSON' || !name.isWellFormed()) throw new Inexact()
  },
}

/** `undefined` if only JSON can restore the value. Throws `InvalidValueError` like `serialize`. */
export function pack(value: unknown): Buffer | undefined {
  try {
    const tree = toTree(value, CARRIER)
    if (tree === null) throw new InvalidValueError('A value stands for null, which deletes.')
    return packr.pack(tree)
  } catch (error) {
    if (error instanceof Inexact) return undefined
    throw error
  }
}

/** Throws for bytes that are not MessagePack. */
export function unpack(bytes: Buffer): unknown {
  const tree = packr.unpack(bytes)
  return bytes.includes(TYPE) ? fromTree(tree) : tree
}
