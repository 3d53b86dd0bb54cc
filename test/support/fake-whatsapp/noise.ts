import { hkdfSync } from 'node:crypto'
import { aesDecryptGCM, aesEncryptGCM, Curve, NOISE_MODE, sha256 } from '@whiskeysockets/baileys'
import type { ServerIdentity } from './certificates.js'

const NOTHING = Buffer.alloc(0)

export interface ServerHello {
  ephemeral: Uint8Array
  static: Uint8Array
  payload: Uint8Array
}

export interface ClientFinish {
  /** The client's static key, which names its pairing. */
  clientKey: Buffer
  payload: Buffer
  transport: NoiseTransport
}

/**
 * The responder of Noise_XX_25519_AESGCM_SHA256 (The Noise Protocol Framework, revision 34, sections 5 and
 * 7.5: `-> e`, `<- e, ee, s, es`, `-> s, se`), with the stream's header as the prologue.
 */
export class NoiseResponder {
  readonly #identity: ServerIdentity
  readonly #ephemeral = Curve.generateKeyPair()
  #transcript: Buffer = protocolName()
  #chainingKey: Buffer = this.#transcript
  #cipher = new CounterCipher(this.#transcript)

  constructor(identity: ServerIdentity) {
    this.#identity = identity
  }

  hello(prologue: Uint8Array, clientEphemeral: Uint8Array): ServerHello {
    this.#mixHash(prologue)
    this.#mixHash(clientEphemeral)
    this.#mixHash(this.#ephemeral.public)
    this.#mixKey(this.#ephemeral.private, clientEphemeral)
    const encryptedKey = this.#encrypt(this.#identity.keyPair.public)
    this.#mixKey(this.#identity.keyPair.private, clientEphemeral)
    return {
      ephemeral: this.#ephemeral.public,
      static: encryptedKey,
      payload: this.#encrypt(this.#identity.certificate),
    }
  }

  finish(encryptedKey: Uint8Array, encryptedPayload: Uint8Array): ClientFinish {
    const clientKey = this.#decrypt(encryptedKey)
    this.#mixKey(this.#ephemeral.private, clientKey)
    const payload = this.#decrypt(encryptedPayload)
    const [fromClient, toClient] = this.#derive(NOTHING)
    return { clientKey, payload, transport: new NoiseTransport(fromClient, toClient) }
  }

  #mixHash(bytes: Uint8Array): void {
    this.#transcript = sha256(Buffer.concat([this.#transcript, bytes]))
  }

  #mixKey(privateKey: Uint8Array, publicKey: Uint8Array): void {
    const [chainingKey, key] = this.#derive(Curve.sharedKey(privateKey, publicKey))
    this.#chainingKey = chainingKey
    this.#cipher = new CounterCipher(key)
  }

  #derive(material: Uint8Array): [Buffer, Buffer] {
    const output = Buffer.from(hkdfSync('sha256', material, this.#chainingKey, '', 64))
    return [output.subarray(0, 32), output.subarray(32)]
  }

  #encrypt(plaintext: Uint8Array): Buffer {
    const ciphertext = this.#cipher.encrypt(plaintext, this.#transcript)
    this.#mixHash(ciphertext)
    return ciphertext
  }

  #decrypt(ciphertext: Uint8Array): Buffer {
    const plaintext = this.#cipher.decrypt(ciphertext, this.#transcript)
    this.#mixHash(ciphertext)
    return plaintext
  }
}

/** What both sides speak once the handshake is over: one key and one counter for each direction. */
export class NoiseTransport {
  readonly #fromClient: CounterCipher
  readonly #toClient: CounterCipher

  constructor(fromClient: Buffer, toClient: Buffer) {
    this.#fromClient = new CounterCipher(fromClient)
    this.#toClient = new CounterCipher(toClient)
  }

  encrypt(plaintext: Uint8Array): Buffer {
    return this.#toClient.encrypt(plaintext, NOTHING)
  }

  decrypt(ciphertext: Uint8Array): Buffer {
    return this.#fromClient.decrypt(ciphertext, NOTHING)
  }
}

class CounterCipher {
  readonly #key: Buffer
  #counter = 0

  constructor(key: Buffer) {
    this.#key = key
  }

  encrypt(plaintext: Uint8Array, associated: Uint8Array): Buffer {
    return aesEncryptGCM(plaintext, this.#key, this.#nextNonce(), associated)
  }

  decrypt(ciphertext: Uint8Array, associated: Uint8Array): Buffer {
    return aesDecryptGCM(ciphertext, this.#key, this.#nextNonce(), associated)
  }

  #nextNonce(): Buffer {
    const nonce = Buffer.alloc(12)
    nonce.writeUInt32BE(this.#counter++, 8)
    return nonce
  }
}

/** Section 5.2: a name that fills the hash exactly is taken as it is. */
function protocolName(): Buffer {
  const name = Buffer.from(NOISE_MODE)
  return name.length === 32 ? name : sha256(name)
}
