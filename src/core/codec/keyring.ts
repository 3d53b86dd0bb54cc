import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { InvalidOptionError } from '../errors.js'
import { lruByCount } from '../lru-by-count.js'

/** Most derived data keys kept, one for each session, cipher and period. Deriving one takes some 10 µs. */
const MAX_CACHED_DATA_KEYS = 20_000
const DATA_KEY_BYTES = 32

interface MasterKey {
  readonly id: Buffer
  readonly idHex: string
  readonly secret: KeyObject
}

/**
 * The master keys: the first one writes, all of them read.
 *
 * A data key is HKDF-SHA-256 (RFC 5869) of a master key, with the session's id as the salt and cipher and
 * rotation period as the info: no two sessions, ciphers or periods share one.
 */
export class Keyring {
  readonly #keys: readonly MasterKey[]
  readonly #dataKeys = new LRUCache<string, KeyObject>(lruByCount(MAX_CACHED_DATA_KEYS))

  /** `masterKeys`: 64 hex characters each, the writing key first. Throws `InvalidOptionError`. */
  constructor(masterKeys: readonly [string, ...string[]]) {
    this.#keys = masterKeys.map(toMasterKey)
    const ids = new Set(this.keyIds)
    if (ids.size === masterKeys.length) return
    throw new InvalidOptionError(
      '"masterKeys" must be different keys; two of them are the same or share an id.',
    )
  }

  /** The ids of all keys, in hex: fingerprints, not secrets. */
  get keyIds(): string[] {
    return this.#keys.map(key => key.idHex)
  }

  get writingKeyId(): Buffer {
    return (this.#keys[0] as MasterKey).id
  }

  /** `undefined` if no master key has this id. */
  deriveDataKey(keyId: Uint8Array, sessionId: string, cipher: string, period: number): KeyObject | undefined {
    const master = this.#keys.find(key => key.id.equals(keyId))
    if (master === undefined) return undefined
    const name = `${master.idHex}/${cipher}/${period}/${sessionId}`
    const cached = this.#dataKeys.get(name)
    if (cached !== undefined) return cached
    const info = `baileys-store data key ${cipher} ${period}`
    // Node 24 takes 13 µs longer to make a cipher from bytes.
    const dataKey = createSecretKey(derive(master.secret, sessionId, info, DATA_KEY_BYTES))
    this.#dataKeys.set(name, dataKey)
    return dataKey
  }
}

function toMasterKey(hex: string): MasterKey {
  const secret = createSecretKey(hex, 'hex')
  const id = derive(secret, '', 'baileys-store key id', 4)
  return { secret, id, idHex: id.toString('hex') }
}

function derive(secret: KeyObject, salt: string, info: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, bytes))
}
