import { toBuffer } from '../bytes.js'
import { deserialize, serialize } from '../codec/buffers.js'

const BYTES_AS_NUMBERS = '"data":['

/**
 * Repairs a sender key's record. Baileys writes the keys of skipped group messages as lists of numbers, and cannot read
 * them again ("Expected Buffer instead of: Object"); the repaired record has base64 instead. Returns other records, and
 * those that are not JSON, unchanged.
 */
export function repairSenderKey(record: unknown): unknown {
  if (!(record instanceof Uint8Array)) return record
  const text = toBuffer(record).toString('utf8')
  if (!text.includes(BYTES_AS_NUMBERS)) return record
  try {
    return Buffer.from(serialize(deserialize(text)), 'utf8')
  } catch {
    return record // Baileys reads it, or throws
  }
}
