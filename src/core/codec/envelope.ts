import { CREDS_FIELD } from '../backend.js'
import { UnsupportedFormatError } from '../errors.js'
import type { ValueName } from '../names.js'
import { nameValue, toCorruptValue } from './corrupt-value.js'

/**
 * The first bytes of every stored value:
 *
 *   byte 0      magic 0xB in the high half, format version 1 in the low half
 *   byte 1      flags: bits 0-1 serialiser, 2-3 compression, 4-5 cipher, 6-7 pairing
 *   bytes 2-5   id of the master key        } only with a cipher
 *   bytes 6-7   rotation period, big-endian }
 *   the rest    payload; with a cipher: nonce, ciphertext, tag
 */
const MAGIC = 0xb0
const VERSION = 1
const PLAIN_HEADER_BYTES = 2
const SEALED_HEADER_BYTES = 8

export type SerialiserName = 'json' | 'msgpack'
export type CompressionName = 'none' | 'snappy' | 'gzip'
export type CipherName = 'none' | 'aes-256-gcm' | 'secretbox'

const SERIALISERS: readonly SerialiserName[] = ['json', 'msgpack']
const COMPRESSIONS: readonly CompressionName[] = ['none', 'snappy', 'gzip']
const CIPHERS: readonly CipherName[] = ['none', 'aes-256-gcm', 'secretbox']
/** In the clear, so that a catalogue tells it without a key. Releases before 1.0 wrote no pairing, and other values have none. */
const PAIRINGS: readonly (boolean | undefined)[] = [undefined, false, true]
const PAIRING_BIT = 6

/** The format of the payload after decryption. */
export interface Contents {
  readonly serialiser: SerialiserName
  readonly compression: CompressionName
  /** Of the creds: whether they name an account. */
  readonly pairing?: boolean | undefined
}

export interface Envelope extends Contents {
  readonly cipher: CipherName
  /** Four bytes; empty without a cipher. */
  readonly keyId: Uint8Array
  readonly period: number
  readonly header: Uint8Array
  readonly payload: Uint8Array
}

export function writePlainHeader(contents: Contents): Buffer {
  return Buffer.of(MAGIC | VERSION, toFlags(contents, 'none'))
}

export function writeSealedHeader(
  contents: Contents,
  cipher: CipherName,
  keyId: Uint8Array,
  period: number,
): Buffer {
  const header = Buffer.alloc(SEALED_HEADER_BYTES)
  header[0] = MAGIC | VERSION
  header[1] = toFlags(contents, cipher)
  header.set(keyId, 2)
  header.writeUInt16BE(period, 6)
  return header
}

/** Throws `CorruptValueError` for bytes that are no envelope, `UnsupportedFormatError` for a later format. */
export function parseEnvelope(bytes: Uint8Array, name: Partial<ValueName> = {}): Envelope {
  const { sessionId, type } = name
  const context = { sessionId }
  const first = bytes[0] ?? 0
  const flags = bytes[1] ?? 0
  if (bytes.length < PLAIN_HEADER_BYTES || (first & 0xf0) !== MAGIC) {
    throw toCorruptValue(name, "does not begin as this library's values do")
  }
  if ((first & 0x0f) !== VERSION) {
    throw new UnsupportedFormatError(
      `${nameValue(type)} is in format ${first & 0x0f}; this version reads format ${VERSION}.`,
      context,
    )
  }
  const serialiser = SERIALISERS[flags & 3]
  const compression = COMPRESSIONS[(flags >> 2) & 3]
  const cipher = CIPHERS[(flags >> 4) & 3]
  const isKnown = serialiser !== undefined && compression !== undefined && cipher !== undefined
  const pairing = flags >> PAIRING_BIT
  const hasPairing = pairing === 0 || (pairing < PAIRINGS.length && type === CREDS_FIELD.type)
  if (!isKnown || !hasPairing) {
    throw new UnsupportedFormatError(
      `${nameValue(type)} has flags 0x${flags.toString(16)}, which this version does not know.`,
      context,
    )
  }
  const headerBytes = cipher === 'none' ? PLAIN_HEADER_BYTES : SEALED_HEADER_BYTES
  if (bytes.length < headerBytes) throw toCorruptValue(name, 'is cut off inside its header')
  const header = bytes.subarray(0, headerBytes)
  return {
    serialiser,
    compression,
    cipher,
    pairing: PAIRINGS[pairing],
    keyId: header.subarray(2, 6),
    period: cipher === 'none' ? 0 : ((header[6] ?? 0) << 8) | (header[7] ?? 0),
    header,
    payload: bytes.subarray(headerBytes),
  }
}

/** Whether the creds in this envelope name an account; `undefined`: not known. Reads the header only. */
export function readPairing(bytes: Uint8Array | undefined): boolean | undefined {
  const isEnvelope = bytes?.[0] === (MAGIC | VERSION)
  return isEnvelope ? PAIRINGS[(bytes[1] ?? 0) >> PAIRING_BIT] : undefined
}

function toFlags({ serialiser, compression, pairing }: Contents, cipher: CipherName): number {
  return (
    (PAIRINGS.indexOf(pairing) << PAIRING_BIT) |
    SERIALISERS.indexOf(serialiser) |
    (COMPRESSIONS.indexOf(compression) << 2) |
    (CIPHERS.indexOf(cipher) << 4)
  )
}
