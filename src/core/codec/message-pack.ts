import { Packr } from 'msgpackr'
import { toBuffer } from '../bytes.js'
import { InvalidValueError } from '../errors.js'
import { type Carrier, fromTree, toTree } from './value-tree.js'

/**
 * Values as MessagePack (the specification of msgpack.org): its core types alone, so that any reader knows them. Bytes
 * are bytes; what else MessagePack lacks travels as the tagged objects of value-tree.ts.
 */
const packr = new Packr({
  useRecords: false,
  // What is unpacked shares no memory with what it was unpacked from: callers write into it.
  copyBuffers: true,
})

/** The name that every tag has, as it is packed. */
const TYPE = Buffer.from('\xa4type', 'latin1')

/** What UTF-8 would change, and names that mean something to msgpackr. */
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

/** `undefined` where only JSON would give the value back. Throws `InvalidValueError` as `serialize` does. */
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

/** Throws for what is no MessagePack. */
export function unpack(bytes: Buffer): unknown {
  const tree = packr.unpack(bytes)
  return bytes.includes(TYPE) ? fromTree(tree) : tree
}
