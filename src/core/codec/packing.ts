import { MAX_VALUE_BYTES } from '../backend.js'
import { toBuffer } from '../bytes.js'
import { InvalidValueError, ValueTooLargeError } from '../errors.js'
import type { ValueName } from '../names.js'
import { checkJson, checkMessagePack } from './bounds.js'
import { deserialize, serialize } from './buffers.js'
import { toCorruptValue } from './corrupt-value.js'
import type { SerialiserName } from './envelope.js'
import { MAX_PARTS } from './max-parts.js'
import { unpack as fromMessagePack, pack as toMessagePack } from './message-pack.js'
import { isPlainJson } from './value-tree.js'

/** A value as bytes, neither compressed nor encrypted. */
export interface Packed {
  readonly serialiser: SerialiserName
  readonly bytes: Uint8Array
}

/**
 * JSON for text and numbers, where JavaScript's own JSON is fastest. MessagePack for a value with bytes, or with
 * anything else that JSON lacks; JSON again for what MessagePack would change.
 */
export function pack(name: ValueName, value: unknown): Packed {
  const packed = serialise(name, value)
  const { length } = packed.bytes
  if (length > MAX_VALUE_BYTES) throw new ValueTooLargeError(length, MAX_VALUE_BYTES, name)
  if (length > MAX_PARTS) checkParts(name, packed)
  return packed
}

/** Refuses a value that could not be read back. */
function checkParts(name: ValueName, { serialiser, bytes }: Packed): void {
  try {
    CHECKS[serialiser](toBuffer(bytes))
  } catch {
    throw new InvalidValueError(
      `A value of type "${name.type}" has more than ${MAX_PARTS} members; nothing was written.`,
      name,
    )
  }
}

/** Returns a new value each time, which shares no memory with `bytes`. */
export function unpack(name: ValueName, { serialiser, bytes }: Packed): unknown {
  const value = parse(name, serialiser, toBuffer(bytes))
  // `null` deletes, so no store writes it. Baileys would take the key for absent.
  if (value == null) throw toCorruptValue(name, 'stands for nothing')
  return value
}

function parse(name: ValueName, serialiser: SerialiserName, bytes: Buffer): unknown {
  try {
    CHECKS[serialiser](bytes)
    return serialiser === 'msgpack' ? fromMessagePack(bytes) : deserialize(bytes.toString('utf8'))
  } catch {
    // Without the cause: a SyntaxError quotes the text.
    throw toCorruptValue(name, `is not ${FORMATS[serialiser]}`)
  }
}

const CHECKS: Readonly<Record<SerialiserName, (bytes: Buffer) => void>> = {
  json: checkJson,
  msgpack: checkMessagePack,
}
const FORMATS: Readonly<Record<SerialiserName, string>> = { json: 'JSON', msgpack: 'MessagePack' }

function serialise(name: ValueName, value: unknown): Packed {
  try {
    const bytes = isPlainJson(value) ? undefined : toMessagePack(value)
    if (bytes !== undefined) return { serialiser: 'msgpack', bytes }
    return { serialiser: 'json', bytes: Buffer.from(serialize(value), 'utf8') }
  } catch (cause) {
    if (isTooLong(cause)) throw new ValueTooLargeError(Number.POSITIVE_INFINITY, MAX_VALUE_BYTES, name)
    if (!(cause instanceof InvalidValueError)) throw cause
    throw new InvalidValueError(`${cause.message} It is of type "${name.type}"; nothing was written.`, name)
  }
}

/** Node's error for a Buffer and V8's for a string that would need a longer string than there can be. */
function isTooLong(error: unknown): boolean {
  return error instanceof RangeError || (error as { code?: unknown }).code === 'ERR_STRING_TOO_LONG'
}
