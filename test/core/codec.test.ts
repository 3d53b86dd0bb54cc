import { runInNewContext, runInThisContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { PEEKED_BYTES } from '../../src/core/backend.js'
import { createCodec } from '../../src/core/codec/codec.js'
import { readPairing } from '../../src/core/codec/envelope.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'
import { catchError } from '../support/catch-error.js'
import { DAY_MS, MASTER_KEY, makeCodec, NAME, OTHER_KEY, sealing } from '../support/test-codec.js'

const VALUE = { secret: 'do not show this', bytes: Buffer.from('bytes') }
const ciphers = ['aes-256-gcm', 'secretbox'] as const

describe('the pairing in an envelope', () => {
  const CREDS = { ...NAME, type: 'creds', id: '' }
  const packed = { serialiser: 'json', bytes: Buffer.from('{}') } as const

  it.each([...ciphers, 'none'] as const)('can be read without a key (%s)', async cipher => {
    const codec = await makeCodec(cipher === 'none' ? {} : sealing(cipher))
    for (const pairing of [true, false, undefined]) {
      const sealed = codec.seal(CREDS, packed, pairing)
      expect(readPairing(sealed)).toBe(pairing)
      expect(readPairing(sealed.subarray(0, PEEKED_BYTES))).toBe(pairing)
      expect(codec.decode(CREDS, sealed)).toEqual({})
    }
  })

  it.each(['', 'b1', '00', 'b1c0', 'b280', '5180'])('of %s is not known', bytes => {
    expect(readPairing(Buffer.from(bytes, 'hex'))).toBeUndefined()
  })

  it('is bound to the sealed value', async () => {
    const codec = await makeCodec(sealing('aes-256-gcm'))
    const sealed = Buffer.from(codec.seal(CREDS, packed, false))
    sealed[1] = (sealed[1] ?? 0) ^ 0b1100_0000 // paired
    expect(readPairing(sealed)).toBe(true)
    await catchError('DECRYPTION_FAILED', () => codec.decode(CREDS, sealed))
  })
})

describe.each(ciphers)('%s', cipher => {
  it('gives back what it sealed, and no two seals are the same', async () => {
    const codec = await makeCodec(sealing(cipher))
    const sealed = codec.encode(NAME, VALUE)
    expect(codec.decode(NAME, sealed)).toStrictEqual(VALUE)
    expect(Buffer.from(sealed).includes('do not show')).toBe(false)
    expect(codec.encode(NAME, VALUE)).not.toEqual(sealed)
  })

  it('refuses another master key, and reports which keys were tried', async () => {
    const sealed = (await makeCodec(sealing(cipher))).encode(NAME, VALUE)
    const other = await makeCodec({ ...sealing(cipher), masterKey: OTHER_KEY })
    const error = await catchError('DECRYPTION_FAILED', () => other.decode(NAME, sealed))
    const { keyIdsTried } = error as { keyIdsTried?: string[] }
    expect(keyIdsTried).toHaveLength(1)
    expect(keyIdsTried?.[0]).toMatch(/^[0-9a-f]{8}$/)
    expect(error.message).toContain(keyIdsTried?.[0])
    expect(OTHER_KEY + MASTER_KEY).not.toContain(keyIdsTried?.[0])
  })

  it.each([
    ['session', { ...NAME, sessionId: 'bot-2' }],
    ['type', { ...NAME, type: 'pre-key' }],
    ['id', { ...NAME, id: 'peer.1' }],
    ['split of the same letters', { sessionId: 'bot-1', type: 'sessio', id: 'npeer.0' }],
  ])('opens a value under no other %s', async (_what, name) => {
    const codec = await makeCodec(sealing(cipher))
    const sealed = codec.encode(NAME, VALUE)
    await catchError('DECRYPTION_FAILED', () => codec.decode(name, sealed))
  })

  it('takes another data key for each rotation period, and reads the values of earlier ones', async () => {
    const before = await makeCodec(sealing(cipher), 1000 * DAY_MS)
    const after = await makeCodec(sealing(cipher), 1090 * DAY_MS)
    const old = before.encode(NAME, VALUE)
    expect(periodOf(old)).toBe(Math.floor(1000 / 90))
    expect(periodOf(after.encode(NAME, VALUE))).toBe(Math.floor(1000 / 90) + 1)
    expect(after.decode(NAME, old)).toStrictEqual(VALUE)
    const moved = Buffer.from(old)
    moved.writeUInt16BE(periodOf(old) + 1, 6)
    await catchError('DECRYPTION_FAILED', () => after.decode(NAME, moved))
  })

  it.each([0, Number.POSITIVE_INFINITY])('never rotates with keyRotationDays %d', async keyRotationDays => {
    const security = { encryptionAlgorithm: cipher, keyRotationDays }
    const codec = await makeCodec({ masterKey: MASTER_KEY, security }, 5000 * DAY_MS)
    expect(periodOf(codec.encode(NAME, VALUE))).toBe(0)
  })

  it('writes with the first of several master keys and reads with all', async () => {
    const security = { encryptionAlgorithm: cipher }
    const old = await makeCodec({ masterKey: OTHER_KEY, security })
    const both = await makeCodec({ masterKeys: [MASTER_KEY, OTHER_KEY], security })
    const current = await makeCodec({ masterKey: MASTER_KEY, security })
    expect(both.decode(NAME, old.encode(NAME, VALUE))).toStrictEqual(VALUE)
    expect(current.decode(NAME, both.encode(NAME, VALUE))).toStrictEqual(VALUE)
    await catchError('DECRYPTION_FAILED', () => old.decode(NAME, both.encode(NAME, VALUE)))
  })

  it('is read by a codec with the other cipher, and by one that does not encrypt', async () => {
    const sealed = (await makeCodec(sealing(cipher))).encode(NAME, VALUE)
    const other = cipher === 'secretbox' ? 'aes-256-gcm' : 'secretbox'
    const off = { masterKey: MASTER_KEY, security: { enableEncryption: false } }
    expect((await makeCodec(sealing(other))).decode(NAME, sealed)).toStrictEqual(VALUE)
    expect((await makeCodec(off)).decode(NAME, sealed)).toStrictEqual(VALUE)
    expect(cipherFlag((await makeCodec(off)).encode(NAME, VALUE))).toBe(0)
  })

  it('is refused, not taken for absent, when no key is given', async () => {
    const sealed = (await makeCodec(sealing(cipher))).encode(NAME, VALUE)
    const keyless = await makeCodec({})
    const error = await catchError('DECRYPTION_FAILED', () => keyless.decode(NAME, sealed))
    expect(error).toMatchObject({ keyIdsTried: [] })
    expect(error.message).toContain('no master key was given')
  })

  it('refuses values in the clear unless allowPlaintext is set', async () => {
    const plain = (await makeCodec({})).encode(NAME, VALUE)
    const strict = await makeCodec(sealing(cipher))
    const error = await catchError('DECRYPTION_FAILED', () => strict.decode(NAME, plain))
    expect(error.message).toContain('security.allowPlaintext')
    const security = { encryptionAlgorithm: cipher, allowPlaintext: true }
    const lenient = await makeCodec({ masterKey: MASTER_KEY, security })
    expect(lenient.decode(NAME, plain)).toStrictEqual(VALUE)
    expect(cipherFlag(lenient.encode(NAME, VALUE))).not.toBe(0)
  })
})

describe('without encryption', () => {
  it('text and numbers are stored as a header of two bytes and JSON', async () => {
    const codec = await makeCodec({})
    const bytes = Buffer.from(codec.encode(NAME, { a: 1 }))
    expect(bytes).toEqual(Buffer.concat([Buffer.of(0xb1, 0), Buffer.from('{"a":1}')]))
    expect(codec.decode(NAME, bytes)).toEqual({ a: 1 })
  })

  it('a value with bytes is stored as a header of two bytes and MessagePack', async () => {
    const codec = await makeCodec({})
    const bytes = Buffer.from(codec.encode(NAME, { a: Buffer.of(7, 8) }))
    expect(bytes).toEqual(Buffer.of(0xb1, 1, 0xde, 0, 1, 0xa1, 0x61, 0xc4, 2, 7, 8))
    expect(codec.decode(NAME, bytes)).toStrictEqual({ a: Buffer.of(7, 8) })
  })

  it('bytes in JSON, as early versions wrote them, are read', async () => {
    const json = Buffer.concat([Buffer.of(0xb1, 0), Buffer.from('{"a":{"type":"Buffer","data":"aGk="}}')])
    expect((await makeCodec({})).decode(NAME, json)).toStrictEqual({ a: Buffer.from('hi') })
  })

  it.each<[string, unknown]>([
    ['half of a surrogate pair', 'a\ud800b'],
    ['half of a surrogate pair in a name', { 'a\ud800b': 1 }],
    ['a name that prototypes have', JSON.parse('{"__proto__":1}')],
  ])('%s, which MessagePack would change, is written as JSON', async (_what, value) => {
    const codec = await makeCodec({})
    const stored = codec.encode(NAME, { deep: [value, Buffer.from('a')] })
    expect(stored[1]).toBe(0)
    expect(codec.decode(NAME, stored)).toStrictEqual({ deep: [value, Buffer.from('a')] })
  })

  it('a read value shares no memory with the stored bytes', async () => {
    const codec = await makeCodec({})
    const stored = codec.encode(NAME, { key: Buffer.from('abc'), flat: new Uint8Array([1, 2]) })
    const before = Buffer.from(stored)
    const value = codec.decode(NAME, stored) as { key: Buffer; flat: Uint8Array }
    value.key.fill(0)
    value.flat.fill(0)
    expect(Buffer.from(stored)).toEqual(before)
  })

  it.each<[string, number[], 'CORRUPT_VALUE' | 'UNSUPPORTED_FORMAT']>([
    ['nothing', [], 'CORRUPT_VALUE'],
    ['half a header', [0xb1], 'CORRUPT_VALUE'],
    ['another magic', [0xc1, 0, 0x31], 'CORRUPT_VALUE'],
    ['JSON without a header', [...Buffer.from('{"a":1}')], 'CORRUPT_VALUE'],
    ['a later format', [0xb2, 0, 0x31], 'UNSUPPORTED_FORMAT'],
    ['a serialiser that is not known', [0xb1, 0b10, 0x31], 'UNSUPPORTED_FORMAT'],
    ['a compression that is not known', [0xb1, 0b1100, 0x31], 'UNSUPPORTED_FORMAT'],
    ['a cipher that is not known', [0xb1, 0b11_0000, 0x31], 'UNSUPPORTED_FORMAT'],
    ['a flag that is not known', [0xb1, 0b1000_0000, 0x31], 'UNSUPPORTED_FORMAT'],
    ['a header without a value', [0xb1, 0], 'CORRUPT_VALUE'],
    ['invalid JSON', [0xb1, 0, 0x7b], 'CORRUPT_VALUE'],
    ['invalid MessagePack', [0xb1, 1, 0x82, 0xa1, 0x61], 'CORRUPT_VALUE'],
    ['MessagePack with bytes after it', [0xb1, 1, 0x01, 0x01], 'CORRUPT_VALUE'],
    ['a list shorter than its length', [0xb1, 1, 0xdd, 0x7f, 0xff, 0xff, 0xff], 'CORRUPT_VALUE'],
    ['a list in a list, 200,000 times', [0xb1, 1, ...Buffer.alloc(200_000, 0x91)], 'CORRUPT_VALUE'],
    ['a tag around nonsense', [0xb1, 0, ...Buffer.from('{"type":"BigInt","data":{}}')], 'CORRUPT_VALUE'],
    ['an empty escape', [0xb1, 0, ...Buffer.from('{"type":"Object","data":null}')], 'CORRUPT_VALUE'],
  ])('%s is refused', async (_what, stored, code) => {
    const codec = await makeCodec({})
    await catchError(code, () => codec.decode(NAME, Uint8Array.from(stored)))
  })
})

describe('a value that cannot be stored', () => {
  it('is INVALID_VALUE, and the error names the type of the key', async () => {
    const codec = await makeCodec({})
    const error = await catchError('INVALID_VALUE', () => codec.encode(NAME, new Map()))
    expect(error.message).toContain('type "session"')
    expect(error.sessionId).toBe('bot-1')
  })

  it.each([
    ['a Map', 'new Map([[1, 2]])'],
    ['a Set', 'new Set([1])'],
    ['a WeakMap', 'new WeakMap()'],
    ['an ArrayBuffer', 'new ArrayBuffer(4)'],
    ['a SharedArrayBuffer', 'new SharedArrayBuffer(4)'],
    ['another typed array', 'new Float64Array(2)'],
    ['an Error', 'new Error("no")'],
    ['a RegExp', '/a/'],
    ['a Promise', 'Promise.resolve(1)'],
    ['a boxed number', 'new Number(5)'],
    ['a boxed text', 'new String("x")'],
    ['a generator', '(function* () { yield 1 })()'],
  ])('is %s, of this realm or another', async (_what, source) => {
    const codec = await makeCodec({})
    for (const value of [runInThisContext(source), runInNewContext(source)]) {
      await catchError('INVALID_VALUE', () => codec.encode(NAME, value))
      await catchError('INVALID_VALUE', () => codec.encode(NAME, { list: [value] }))
    }
  })

  it('is none of another realm that can: an object, a list, bytes or a Date', async () => {
    const codec = await makeCodec({})
    const value = runInNewContext('({ a: [1], b: new Uint8Array([1, 2]), c: new Date(5), d: { e: "x" } })')
    const stored = await codec.encode(NAME, value)
    expect(await codec.decode(NAME, stored)).toEqual({
      a: [1],
      b: new Uint8Array([1, 2]),
      c: new Date(5),
      d: { e: 'x' },
    })
  })

  it('is VALUE_TOO_LARGE above 64 MiB, and one of 64 MiB is taken', async () => {
    const codec = await makeCodec({})
    const limit = 64 * 1024 * 1024
    const error = await catchError('VALUE_TOO_LARGE', () => codec.encode(NAME, Buffer.alloc(limit - 4)))
    expect(error).toMatchObject({ bytes: limit + 1, maxBytes: limit })
    expect(codec.encode(NAME, Buffer.alloc(limit - 5))).toHaveLength(limit + 2)
  })

  it('is VALUE_TOO_LARGE also when it is much larger', async () => {
    const codec = await makeCodec({})
    await catchError('VALUE_TOO_LARGE', () => codec.encode(NAME, Buffer.allocUnsafe(450 * 1024 * 1024)))
  })
})

it('a codec is created once for all names', async () => {
  const codec = await createCodec(toCodecOptions(sealing('aes-256-gcm')))
  const names = ['a', 'b'].map(sessionId => ({ ...NAME, sessionId }))
  for (const name of names) expect(codec.decode(name, codec.encode(name, VALUE))).toStrictEqual(VALUE)
})

function periodOf(sealed: Uint8Array): number {
  return Buffer.from(sealed).readUInt16BE(6)
}

/** Two bits of the second byte. */
function cipherFlag(stored: Uint8Array): number {
  return (stored[1] ?? 0) & 0b11_0000
}
