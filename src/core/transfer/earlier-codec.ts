import { createDecipheriv, createHash } from 'node:crypto'
import { deepBufferRevive, parseJson } from '../codec/buffers.js'
import { type Compressors, loadCompressors } from '../codec/compression.js'
import { CorruptValueError, DecryptionError, InvalidOptionError, MissingDependencyError } from '../errors.js'
import { isPlainObject } from '../is-object.js'
import { checkSessionId } from '../names.js'

export interface EarlierOptions {
  /** The `masterKey` of that store, as it was given there. Default: none, for values that are not encrypted. */
  masterKey?: string | Uint8Array | undefined
}

/** A stored value of releases 1.0.0-rc.1 to rc.6. */
export interface EarlierValue {
  nonce: Buffer
  /** With the tag at its end. */
  ciphertext: Buffer
  /** `undefined`: not known; `none`: the value is not encrypted; `auto`: any key. */
  keyId: string | undefined
}

export type Table = Readonly<Record<string, unknown>>

const KEY_BYTES = 32
const TAG_BYTES = 16
const KEY_ID_DIGITS = 16
const ANY_KEY = 'auto'
const NO_KEY = 'none'
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])
const REMEDY = 'restore that store from a backup'
const OBJECT_START = '{'.charCodeAt(0)

/**
 * Reads the values of releases 1.0.0-rc.1 to rc.6: JSON that is compressed and then sealed by AES-256-GCM, without
 * additional data. Nothing in a value tells how it was compressed, and in MongoDB nothing tells whether it is sealed.
 */
export class EarlierCodec {
  readonly sessionId: string
  readonly #key: Buffer | undefined
  readonly #compressors: Compressors

  private constructor(sessionId: string, key: Buffer | undefined, compressors: Compressors) {
    this.sessionId = sessionId
    this.#key = key
    this.#compressors = compressors
  }

  /** For the values of one session. Throws `INVALID_SESSION_ID`, and `INVALID_OPTION` for no key. */
  static async create(sessionId: string, masterKey: EarlierOptions['masterKey']): Promise<EarlierCodec> {
    checkSessionId(sessionId)
    const key = masterKey === undefined ? undefined : toKey(masterKey)
    return new EarlierCodec(sessionId, key, await loadCompressors())
  }

  /** Throws `DECRYPTION_FAILED`, and `CORRUPT_VALUE` for what is no object. `name`: of the value, for errors. */
  decode(name: string, value: EarlierValue): Table {
    const opened = this.#open(value)
    if (opened === undefined && value.keyId !== undefined && value.keyId !== NO_KEY) {
      throw this.#toFailure(name, value.keyId)
    }
    try {
      return this.#unpack(opened ?? Buffer.concat([value.nonce, value.ciphertext]))
    } catch (cause) {
      if (opened === undefined && value.keyId === undefined) throw this.#toFailure(name, ANY_KEY)
      if (cause instanceof MissingDependencyError) throw cause
      throw this.toCorrupt(name, cause)
    }
  }

  /** JSON as those releases wrote it, in the clear. Throws `CORRUPT_VALUE` for what is no object. */
  parse(name: string, text: string): Table {
    try {
      return parse(text)
    } catch (cause) {
      throw this.toCorrupt(name, cause)
    }
  }

  /** `undefined`: not by this key. */
  #open({ nonce, ciphertext, keyId = ANY_KEY }: EarlierValue): Buffer | undefined {
    const key = this.#key
    if (key === undefined || (keyId !== ANY_KEY && keyId !== idOf(key))) return undefined
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES))
      return Buffer.concat([decipher.update(ciphertext.subarray(0, -TAG_BYTES)), decipher.final()])
    } catch {
      return undefined
    }
  }

  #unpack(bytes: Buffer): Table {
    const { gzip, snappy } = this.#compressors
    if (bytes.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC)) return parse(toText(gzip.inflate(bytes)))
    try {
      if (bytes[0] === OBJECT_START) return parse(toText(bytes))
    } catch {} // a Snappy stream may begin with the same byte
    return parse(toText(snappy.inflate(bytes)))
  }

  #toFailure(name: string, keyId: string): DecryptionError {
    const needed = keyId === ANY_KEY ? '' : ` of the id ${keyId}`
    const keyIdsTried = this.#key === undefined ? [] : [idOf(this.#key)]
    const given = keyIdsTried.length === 0 ? 'no key was given' : `the given key has the id ${keyIdsTried}`
    return new DecryptionError(
      `"${name}" of the session is sealed by a key${needed}, and ${given}. Give the "masterKey" of that store in the same form.`,
      { sessionId: this.sessionId, keyIdsTried },
    )
  }

  /** Throws `CORRUPT_VALUE` unless it is an object. */
  assertTable(name: string, value: unknown): Table {
    if (!isPlainObject(value)) throw this.toCorrupt(name)
    return value
  }

  toCorrupt(name: string, cause?: unknown): CorruptValueError {
    const context = { sessionId: this.sessionId, cause }
    return new CorruptValueError(`"${name}" of the session cannot be read.`, context, REMEDY)
  }
}

function parse(text: string): Table {
  const value = deepBufferRevive(parseJson(text))
  if (!isPlainObject(value)) throw new SyntaxError('The text is no object.')
  return value
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

/** Those releases took the hex digits before the first other character, and hashed what has not 32 bytes. */
function toKey(masterKey: string | Uint8Array): Buffer {
  if (typeof masterKey !== 'string' && !(masterKey instanceof Uint8Array)) {
    throw new InvalidOptionError('"masterKey" must be text or bytes, as that store was given it.')
  }
  const bytes = typeof masterKey === 'string' ? Buffer.from(masterKey, 'hex') : Buffer.from(masterKey)
  return bytes.length === KEY_BYTES ? bytes : createHash('sha256').update(bytes).digest()
}

function idOf(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex').slice(0, KEY_ID_DIGITS)
}
