import { createDecipheriv, createHmac } from 'node:crypto'
import nacl from 'tweetnacl'
import { describe, expect, it, test } from 'vitest'
import { Keyring } from '../../src/core/codec/keyring.js'
import { catchError } from '../support/catch-error.js'
import { MASTER_KEY, makeCodec, NAME, OTHER_KEY, sealing } from '../support/test-codec.js'

const VALUE = { bytes: Buffer.from('bytes') }
/** MessagePack: a map of one, its name of five characters, five bytes. */
const PLAIN = Buffer.concat([
  Buffer.of(0xde, 0, 1, 0xa5),
  Buffer.from('bytes'),
  Buffer.of(0xc4, 5),
  VALUE.bytes,
])

/** RFC 5869 written out, for one block of output. */
function hkdf(secret: Uint8Array, salt: string, info: string, length: number): Buffer {
  const extracted = createHmac('sha256', salt === '' ? Buffer.alloc(32) : salt)
    .update(secret)
    .digest()
  return createHmac('sha256', extracted).update(info).update(Buffer.of(1)).digest().subarray(0, length)
}

function dataKeyOf(sealed: Buffer, cipher: string): Buffer {
  const info = `baileys-store data key ${cipher} ${sealed.readUInt16BE(6)}`
  return hkdf(Buffer.from(MASTER_KEY, 'hex'), NAME.sessionId, info, 32)
}

function boundTo(sealed: Buffer): Buffer {
  return Buffer.concat([sealed.subarray(0, 8), Buffer.from('["bot-1","session","peer.0"]')])
}

describe('a sealed value can be opened without this library, as documented', () => {
  it('secretbox is NaCl secretbox under HMAC-SHA-256(data key, header and name)', async () => {
    const sealed = Buffer.from((await makeCodec(sealing('secretbox'))).encode(NAME, VALUE))
    const key = createHmac('sha256', dataKeyOf(sealed, 'secretbox')).update(boundTo(sealed)).digest()
    const opened = nacl.secretbox.open(sealed.subarray(32), sealed.subarray(8, 32), key)
    expect(Buffer.from(opened ?? [])).toEqual(PLAIN)
  })

  it('aes-256-gcm is AES-256-GCM with header and name as additional data', async () => {
    const sealed = Buffer.from((await makeCodec(sealing('aes-256-gcm'))).encode(NAME, VALUE))
    const decipher = createDecipheriv('aes-256-gcm', dataKeyOf(sealed, 'aes-256-gcm'), sealed.subarray(8, 20))
    decipher.setAAD(boundTo(sealed)).setAuthTag(sealed.subarray(-16))
    const opened = Buffer.concat([decipher.update(sealed.subarray(20, -16)), decipher.final()])
    expect(opened).toEqual(PLAIN)
  })

  it('the id in the header is HKDF of the master key, as in appendix A.3 of RFC 5869', async () => {
    const expected = '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d'
    expect(hkdf(Buffer.alloc(22, 0x0b), '', '', 32).toString('hex')).toBe(expected)
    const sealed = Buffer.from((await makeCodec(sealing('aes-256-gcm'))).encode(NAME, VALUE))
    const id = hkdf(Buffer.from(MASTER_KEY, 'hex'), '', 'baileys-store key id', 4)
    expect(sealed.subarray(2, 6)).toEqual(id)
  })
})

test('no two values share a nonce, over many refills of the nonce pool', async () => {
  const codecs = await Promise.all([1, 2].map(() => makeCodec(sealing('aes-256-gcm'))))
  const nonces = new Set<string>()
  for (let n = 0; n < 2000; n++) {
    for (const codec of codecs) {
      nonces.add(Buffer.from(codec.encode(NAME, VALUE)).subarray(8, 20).toString('hex'))
    }
  }
  expect(nonces.size).toBe(4000)
})

describe('Keyring', () => {
  const ring = new Keyring([MASTER_KEY, OTHER_KEY])

  it('derives a different key for each session, cipher, period and master key, and the same one each time', () => {
    const ids = ring.keyIds.map(id => Buffer.from(id, 'hex'))
    const derive = (i: number, session: string, cipher: string, period: number) =>
      ring
        .deriveDataKey(ids[i] as Buffer, session, cipher, period)
        ?.export()
        .toString('hex')
    const keys = [
      derive(0, 'a', 'secretbox', 1),
      derive(1, 'a', 'secretbox', 1),
      derive(0, 'b', 'secretbox', 1),
      derive(0, 'a', 'aes-256-gcm', 1),
      derive(0, 'a', 'secretbox', 2),
    ]
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys).not.toContain(undefined)
    expect(derive(0, 'a', 'secretbox', 1)).toBe(keys[0])
  })

  it('has no key for an unknown id', () => {
    expect(ring.deriveDataKey(Buffer.alloc(4), 'a', 'secretbox', 1)).toBeUndefined()
  })

  it('writes with the first key', () => {
    expect(ring.writingKeyId.toString('hex')).toBe(ring.keyIds[0])
    expect(new Keyring([OTHER_KEY]).writingKeyId.toString('hex')).toBe(ring.keyIds[1])
  })

  it.each([
    ['the same key twice', [MASTER_KEY, MASTER_KEY]],
    ['the same key in capital letters', [MASTER_KEY, OTHER_KEY, MASTER_KEY.toUpperCase()]],
  ])('refuses %s', async (_what, keys) => {
    const error = await catchError('INVALID_OPTION', () => new Keyring(keys as [string, ...string[]]))
    expect(error.message).toContain('"masterKeys" must be different keys')
  })
})
