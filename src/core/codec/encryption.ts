import { createCipheriv, createDecipheriv, createHmac, type KeyObject } from 'node:crypto'
import nacl from 'tweetnacl'
import type { CipherName } from './envelope.js'

/**
 * Both ciphers authenticate the envelope's header and the name of the value along with the value.
 *
 *   aes-256-gcm   NIST SP 800-38D; nonce 12, tag 16. Header and name are the additional data.
 *   secretbox     NaCl's XSalsa20-Poly1305; nonce 24, tag 16 in front. It takes no additional data, so the key of
 *                 each value is HMAC-SHA-256(data key, header and name): another header or name is another key.
 *
 * Nonces are random. 2^32 values under one GCM key (one session, one rotation period) keep the chance of a
 * repeated nonce below 2^-32.
 */
export interface Cipher {
  readonly nonceBytes: number
  /** Returns the bytes to store after the nonce. */
  seal(dataKey: KeyObject, nonce: Uint8Array, plaintext: Uint8Array, boundTo: Uint8Array): Uint8Array[]
  /** `undefined` if the key differs, or if any bit of the payload or of `boundTo` has changed. */
  open(dataKey: KeyObject, payload: Uint8Array, boundTo: Uint8Array): Uint8Array | undefined
}

const GCM_NONCE_BYTES = 12
const GCM_TAG_BYTES = 16

const aes256gcm: Cipher = {
  nonceBytes: GCM_NONCE_BYTES,
  seal(dataKey, nonce, plaintext, boundTo) {
    const cipher = createCipheriv('aes-256-gcm', dataKey, nonce).setAAD(boundTo)
    const ciphertext = cipher.update(plaintext)
    cipher.final() // empty: GCM is a stream
    return [ciphertext, cipher.getAuthTag()]
  },
  open(dataKey, payload, boundTo) {
    if (payload.length < GCM_NONCE_BYTES + GCM_TAG_BYTES) return undefined
    const decipher = createDecipheriv('aes-256-gcm', dataKey, payload.subarray(0, GCM_NONCE_BYTES), {
      authTagLength: GCM_TAG_BYTES,
    })
    decipher.setAAD(boundTo).setAuthTag(payload.subarray(-GCM_TAG_BYTES))
    const plaintext = decipher.update(payload.subarray(GCM_NONCE_BYTES, -GCM_TAG_BYTES))
    try {
      decipher.final()
    } catch {
      return undefined // the tag does not fit; the caller throws, with its context
    }
    return plaintext
  },
}

const secretbox: Cipher = {
  nonceBytes: nacl.secretbox.nonceLength,
  seal(dataKey, nonce, plaintext, boundTo) {
    return [nacl.secretbox(plaintext, nonce, bindKey(dataKey, boundTo))]
  },
  open(dataKey, payload, boundTo) {
    const nonce = payload.subarray(0, nacl.secretbox.nonceLength)
    if (nonce.length < nacl.secretbox.nonceLength) return undefined
    const box = payload.subarray(nacl.secretbox.nonceLength)
    return nacl.secretbox.open(box, nonce, bindKey(dataKey, boundTo)) ?? undefined
  },
}

function bindKey(dataKey: KeyObject, boundTo: Uint8Array): Uint8Array {
  return createHmac('sha256', dataKey).update(boundTo).digest()
}

export const ciphers: Readonly<Record<Exclude<CipherName, 'none'>, Cipher>> = {
  'aes-256-gcm': aes256gcm,
  secretbox,
}
