import type { KeyObject } from 'node:crypto'
import { MAX_VALUE_BYTES } from '../backend.js'
import { DecryptionError, MissingDependencyError } from '../errors.js'
import type { ValueName } from '../names.js'
import { COMPRESS_ABOVE_BYTES, type Compressors, loadCompressors } from './compression.js'
import { nameValue, toCorruptValue } from './corrupt-value.js'
import { ciphers } from './encryption.js'
import {
  type CipherName,
  type CompressionName,
  type Envelope,
  parseEnvelope,
  writePlainHeader,
  writeSealedHeader,
} from './envelope.js'
import type { Keyring } from './keyring.js'
import { Nonces } from './nonces.js'
import { type Packed, pack, unpack } from './packing.js'

export interface CodecOptions {
  /** The cipher for new values; `none` writes plaintext. */
  cipher: CipherName
  compression: CompressionName
  /** `null`: encrypted values cannot be read. Required with a cipher. */
  keyring: Keyring | null
  /** The length of a rotation period; `null` never rotates. */
  rotationMs: number | null
  /** Whether to read plaintext values although a cipher is set. */
  allowPlaintext: boolean
  now: () => number
}

/** Value ⇄ packed ⇄ envelope, the form in the database. */
export class Codec {
  readonly #options: CodecOptions
  readonly #compressors: Compressors
  readonly #nonces = new Nonces()

  constructor(options: CodecOptions, compressors: Compressors) {
    this.#options = options
    this.#compressors = compressors
  }

  encode(name: ValueName, value: unknown): Uint8Array {
    return this.seal(name, pack(name, value))
  }

  decode(name: ValueName, stored: Uint8Array): unknown {
    return unpack(name, this.open(name, stored))
  }

  /** `pairing`: see `Contents`. */
  seal(name: ValueName, packed: Packed, pairing?: boolean): Uint8Array {
    const { cipher, keyring } = this.#options
    const { compression, bytes } = this.#compress(packed.bytes)
    const contents = { serialiser: packed.serialiser, compression, pairing }
    if (cipher === 'none' || keyring === null) return Buffer.concat([writePlainHeader(contents), bytes])
    const { writingKeyId } = keyring
    const period = this.#findPeriod()
    const header = writeSealedHeader(contents, cipher, writingKeyId, period)
    const dataKey = keyring.deriveDataKey(writingKeyId, name.sessionId, cipher, period) as KeyObject
    const { nonceBytes, seal } = ciphers[cipher]
    const nonce = this.#nonces.next(nonceBytes)
    return Buffer.concat([header, nonce, ...seal(dataKey, nonce, bytes, bindTo(header, name))])
  }

  open(name: ValueName, stored: Uint8Array): Packed {
    const envelope = parseEnvelope(stored, name)
    const bytes = this.#inflate(envelope.compression, this.#decrypt(envelope, name), name)
    return { serialiser: envelope.serialiser, bytes }
  }

  #compress(bytes: Uint8Array): { compression: CompressionName; bytes: Uint8Array } {
    const { compression } = this.#options
    if (compression === 'none' || bytes.length <= COMPRESS_ABOVE_BYTES) return { compression: 'none', bytes }
    const smaller = this.#compressors[compression].compress(bytes)
    return smaller.length < bytes.length ? { compression, bytes: smaller } : { compression: 'none', bytes }
  }

  #inflate(compression: CompressionName, bytes: Uint8Array, name: ValueName): Uint8Array {
    if (compression === 'none' && bytes.length <= MAX_VALUE_BYTES) return bytes
    if (compression === 'none') throw toCorruptValue(name, 'is too large')
    try {
      return this.#compressors[compression].inflate(bytes)
    } catch (cause) {
      if (cause instanceof MissingDependencyError) throw cause
      throw toCorruptValue(name, `does not inflate (${compression})`, cause)
    }
  }

  #decrypt({ cipher, header, keyId, payload, period }: Envelope, name: ValueName): Uint8Array {
    const { keyring, allowPlaintext } = this.#options
    if (cipher === 'none') {
      if (this.#options.cipher === 'none' || allowPlaintext) return payload
      throw this.#failure(
        name,
        'is stored in the clear, and encryption is on. Set "security.allowPlaintext: true" until all values from before ' +
          'are replaced.',
      )
    }
    const dataKey = keyring?.deriveDataKey(keyId, name.sessionId, cipher, period)
    if (dataKey === undefined) {
      const others = keyring?.keyIds.join(', ')
      const given = others === undefined ? 'no master key was given' : `the store was given ${others}`
      throw this.#failure(
        name,
        `is encrypted with the master key whose fingerprint is ${toHex(keyId)}, and ${given}. Give the key of that fingerprint ` +
          'as "masterKey", or beside a new one: "masterKeys: [new, old]".',
      )
    }
    const bytes = ciphers[cipher].open(dataKey, payload, bindTo(header, name))
    if (bytes !== undefined) return bytes
    throw this.#failure(
      name,
      `does not authenticate under master key ${toHex(keyId)}: it was changed, or belongs to another session, type or id. Restore it from a backup.`,
    )
  }

  #failure({ sessionId, type }: ValueName, reason: string): DecryptionError {
    const keyIdsTried = this.#options.keyring?.keyIds ?? []
    return new DecryptionError(`${nameValue(type)} ${reason}`, { sessionId, keyIdsTried })
  }

  #findPeriod(): number {
    const { rotationMs, now } = this.#options
    return rotationMs === null ? 0 : Math.floor(now() / rotationMs) & 0xffff
  }
}

export async function createCodec(options: CodecOptions): Promise<Codec> {
  return new Codec(options, await loadCompressors())
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The name is JSON of three strings, so no two names give the same text. */
function bindTo(header: Uint8Array, { sessionId, type, id }: ValueName): Buffer {
  const text = JSON.stringify([sessionId, type, id])
  const bytes = Buffer.allocUnsafe(header.length + Buffer.byteLength(text))
  bytes.set(header)
  bytes.write(text, header.length)
  return bytes
}
