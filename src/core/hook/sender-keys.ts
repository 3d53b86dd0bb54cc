import { toBuffer } from '../bytes.js'
import { deserialize, serialize } from '../codec/buffers.js'

const BYTES_AS_NUMBERS = '"data":['

/**
 * A sender key's record with its bytes as base64 instead of lists of numbers, which is how Baileys writes the keys of
 * skipped group messages and cannot read them again ("Expected Buffer instead of: Object"). What needs no repair,
 * or is no JSON, is returned as it came.
 */
export function repairSenderKey(record: unknown): unknown {
  if (!(record instanceof Uint8Array)) return record
  const text = toBuffer(record).toString('utf8')
  if (!text.includes(BYTES_AS_NUMBERS)) return record
  try {
    return Buffer.from(serialize(deserialize(text)), 'utf8')
  } catch {
    return record // not ours to judge: Baileys reads it, or says why not
  }
}
