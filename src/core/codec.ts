import { deserialize, serialize } from './buffers.js'
import { COMPRESS_ABOVE_BYTES, type Compressors, loadCompressors, MAX_VALUE_BYTES } from './compression.js'
import { ciphers } from './encryption.js'
import {
  type CipherName,
  type CompressionName,
  type Envelope,
  parseEnvelope,
  writePlainHeader,
  writeSealedHeader,
} from './envelope.js'
import {
  CorruptValueError,
  DecryptionError,
  InvalidValueError,
  MissingDependencyError,
  ValueTooLargeError,
} from './errors.js'
import type { Keyring } from './keyring.js'

export interface CodecOptions {
  /** Cipher for writing; `none` writes in the clear. */
  cipher: CipherName
  compression: CompressionName
  /** `null`: encrypted values cannot be read. Must be given with a cipher. */
  keyring: Keyring | null
  /** Length of a rotation period; `null` never rotates. */
  rotationMs: number | null
  /** Whether values in the clear are read although a cipher is set. */
  allowPlaintext: boolean
  now: () => number
}

/** Names the value; with a cipher, a value opens under no other name. */
export interface ValueName {
  sessionId: string
  type: string
  id: string
}

export interface Codec {
  encode(name: ValueName, value: unknown): Uint8Array
  decode(name: ValueName, bytes: Uint8Array): unknown
}

export async function createCodec(options: CodecOptions): Promise<Codec> {
  const compressors = await loadCompressors()
  return {
    encode: (name, value) => encode(options, compressors, name, value),
    decode: (name, bytes) => decode(options, compressors, name, bytes),
  }
}

function encode(
  options: CodecOptions,
  compressors: Compressors,
  name: ValueName,
  value: unknown,
): Uint8Array {
  const plain = toBytes(name, value)
  const { compression, bytes } = compress(options.compression, compressors, plain)
  if (options.cipher === 'none' || options.keyring === null) {
    return Buffer.concat([writePlainHeader(compression), bytes])
  }
  const { keyring, cipher } = options
  const period = findPeriod(options)
  const header = writeSealedHeader(compression, cipher, keyring.writingKeyId, period)
  const dataKey = keyring.deriveDataKey(keyring.writingKeyId, name.sessionId, cipher, period) as Buffer
  return Buffer.concat([header, ciphers[cipher].seal(dataKey, bytes, bindTo(header, name))])
}

function decode(
  options: CodecOptions,
  compressors: Compressors,
  name: ValueName,
  stored: Uint8Array,
): unknown {
  const envelope = parseEnvelope(stored, name.sessionId)
  const bytes = open(options, envelope, name)
  const plain = inflate(compressors, envelope.compression, bytes, name)
  try {
    return deserialize(Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength).toString('utf8'))
  } catch {
    // Without the cause: a SyntaxError quotes the text.
    throw new CorruptValueError(`A value of type "${name.type}" is not JSON.`, name)
  }
}

function toBytes(name: ValueName, value: unknown): Buffer {
  let text: string
  try {
    text = serialize(value)
  } catch (cause) {
    if (isTooLong(cause)) throw new ValueTooLargeError(Number.POSITIVE_INFINITY, MAX_VALUE_BYTES, name)
    if (!(cause instanceof InvalidValueError)) throw cause
    throw new InvalidValueError(`${cause.message} It is of type "${name.type}"; nothing was written.`, name)
  }
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length > MAX_VALUE_BYTES) throw new ValueTooLargeError(bytes.length, MAX_VALUE_BYTES, name)
  return bytes
}

/** Node's error for a Buffer, V8's for a string, that would make a longer string than there can be. */
function isTooLong(error: unknown): boolean {
  return error instanceof RangeError || (error as { code?: unknown }).code === 'ERR_STRING_TOO_LONG'
}

function compress(wanted: CompressionName, compressors: Compressors, bytes: Uint8Array) {
  if (wanted === 'none' || bytes.length <= COMPRESS_ABOVE_BYTES)
    return { compression: 'none' as const, bytes }
  const smaller = compressors[wanted].compress(bytes)
  return smaller.length < bytes.length
    ? { compression: wanted, bytes: smaller }
    : { compression: 'none' as const, bytes }
}

function inflate(compressors: Compressors, compression: CompressionName, bytes: Uint8Array, name: ValueName) {
  if (compression === 'none') return bytes
  try {
    return compressors[compression].inflate(bytes)
  } catch (cause) {
    if (cause instanceof MissingDependencyError) throw cause
    throw new CorruptValueError(`A value of type "${name.type}" does not inflate (${compression}).`, {
      ...name,
      cause,
    })
  }
}

function open(options: CodecOptions, envelope: Envelope, name: ValueName): Uint8Array {
  const { cipher, header, keyId, payload, period } = envelope
  const { keyring, allowPlaintext } = options
  const { sessionId, type } = name
  const fail = (reason: string): never => {
    throw new DecryptionError(`A value of type "${type}" ${reason}`, {
      sessionId,
      keyIdsTried: keyring?.keyIds ?? [],
    })
  }
  if (cipher === 'none') {
    if (options.cipher === 'none' || allowPlaintext) return payload
    return fail(
      'is stored in the clear, and encryption is on; ' +
        'set "security.allowPlaintext" while values from before are being replaced.',
    )
  }
  const dataKey = keyring?.deriveDataKey(keyId, sessionId, cipher, period)
  const keyIdHex = () => Buffer.from(keyId).toString('hex')
  if (dataKey === undefined) {
    const given = keyring?.keyIds.join(', ') ?? 'none'
    return fail(
      `is encrypted with master key ${keyIdHex()}, which is not among those given (${given}). Add it to "masterKeys".`,
    )
  }
  const bytes = ciphers[cipher].open(dataKey, payload, bindTo(header, name))
  if (bytes !== undefined) return bytes
  return fail(
    `does not authenticate under master key ${keyIdHex()}: it was changed, or belongs to another session, type or id.`,
  )
}

/** The name is JSON of three strings, which no other three strings share. */
function bindTo(header: Uint8Array, { sessionId, type, id }: ValueName): Buffer {
  return Buffer.concat([header, Buffer.from(JSON.stringify([sessionId, type, id]), 'utf8')])
}

function findPeriod({ rotationMs, now }: CodecOptions): number {
  return rotationMs === null ? 0 : Math.floor(now() / rotationMs) & 0xffff
}
