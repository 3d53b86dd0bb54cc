import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Codec } from '../../src/core/codec/codec.js'
import { makeBaileysValues, makePairedCreds } from '../support/baileys-values.js'
import { catchErrorSync } from '../support/catch-error.js'
import { MASTER_KEY, makeCodec, NAME, sealing } from '../support/test-codec.js'

/** Long enough to be compressed, short enough to try every bit. */
const VALUE = { text: 'abcdefgh'.repeat(80), bytes: Buffer.from('bytes') }
const TYPED = ['DECRYPTION_FAILED', 'CORRUPT_VALUE', 'UNSUPPORTED_FORMAT']
const HEADER_BYTES = 8

function flip(bytes: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}

describe.each([
  ['aes-256-gcm', undefined],
  ['aes-256-gcm', 'snappy'],
  ['secretbox', undefined],
  ['secretbox', 'gzip'],
] as const)('a value sealed with %s, compression %s', (cipher, compression) => {
  it('is refused with any one bit flipped', async () => {
    const codec = await makeCodec(sealing(cipher, compression))
    const sealed = codec.encode(NAME, VALUE)
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const { code } = catchErrorSync(() => codec.decode(NAME, flip(sealed, bit)))
      expect(TYPED, `bit ${bit}`).toContain(code)
      if (bit >= HEADER_BYTES * 8) expect(code, `bit ${bit}`).toBe('DECRYPTION_FAILED')
    }
  })

  it('is refused when it is cut off anywhere, or when bytes are added', async () => {
    const codec = await makeCodec(sealing(cipher, compression))
    const sealed = codec.encode(NAME, VALUE)
    for (let length = 0; length < sealed.length; length++) {
      const { code } = catchErrorSync(() => codec.decode(NAME, sealed.subarray(0, length)))
      expect(code, `length ${length}`).toBe(length < HEADER_BYTES ? 'CORRUPT_VALUE' : 'DECRYPTION_FAILED')
    }
    const longer = Buffer.concat([sealed, Buffer.of(0)])
    expect(catchErrorSync(() => codec.decode(NAME, longer)).code).toBe('DECRYPTION_FAILED')
  })
})

describe('a header is bound to its value', () => {
  it('even if encryption is off and a flipped cipher flag makes the value look plain', async () => {
    const security = { enableEncryption: false, allowPlaintext: true }
    const reader = await makeCodec({ masterKey: MASTER_KEY, security })
    const sealed = (await makeCodec(sealing('aes-256-gcm'))).encode(NAME, VALUE)
    for (let bit = 0; bit < HEADER_BYTES * 8; bit++) {
      expect(TYPED, `bit ${bit}`).toContain(catchErrorSync(() => reader.decode(NAME, flip(sealed, bit))).code)
    }
  })
})

describe('a plaintext value', () => {
  it('with any one bit flipped is another value or CORRUPT_VALUE', async () => {
    const codec = await makeCodec({})
    for (const value of [...Object.values(makeBaileysValues()), makePairedCreds()]) {
      const stored = codec.encode(NAME, value)
      for (let bit = 16; bit < stored.length * 8; bit++) {
        try {
          codec.decode(NAME, flip(stored, bit))
        } catch (error) {
          expect((error as { code?: string }).code, `bit ${bit}`).toBe('CORRUPT_VALUE')
        }
      }
    }
  })
})

describe('any bytes', () => {
  const header = fc
    .tuple(
      fc.constantFrom(0, 1, 4, 5, 8, 9, 0x10, 0x11, 0x14, 0x20, 0x21, 0x28),
      fc.uint8Array({ maxLength: 200 }),
    )
    .map(([flags, rest]) => Buffer.concat([Buffer.of(0xb1, flags), rest]))
  const messagePack = fc
    .uint8Array({ minLength: 1, maxLength: 60 })
    .map(rest => Buffer.from([0xb1, 1, ...rest]))
  const number = fc.nat().map(value => Buffer.from(`\xb1\x00${value}`, 'latin1')) // a plaintext value
  const stored = fc.oneof(fc.uint8Array({ maxLength: 100 }), header, messagePack, number)

  /** The result is a value, in the clear only if that is allowed, or a `StoreError`; never anything else. */
  function decodeSafely(codec: Codec, bytes: Uint8Array, letsPlainIn: boolean): void {
    try {
      codec.decode(NAME, bytes)
    } catch {
      expect(TYPED).toContain(catchErrorSync(() => codec.decode(NAME, bytes)).code)
      return
    }
    expect(letsPlainIn).toBe(true)
    expect((bytes[1] ?? 0) & 0xf0).toBe(0)
  }

  it.each([
    ['with encryption on', false, sealing('aes-256-gcm')],
    [
      'with encryption on and plaintext values allowed',
      true,
      { masterKey: MASTER_KEY, security: { allowPlaintext: true } },
    ],
    ['without a key', true, {}],
  ])('are a value or a typed error, %s', async (_how, letsPlainIn, options) => {
    const codec = await makeCodec(options)
    fc.assert(
      fc.property(stored, bytes => decodeSafely(codec, bytes, letsPlainIn)),
      { numRuns: 2000 },
    )
  })
})
