import { BufferJSON, initAuthCreds, proto } from '@whiskeysockets/baileys'
import { describe, expect, it } from 'vitest'
import { deserialize } from '../../src/core/codec/buffers.js'
import { makeAppStateSyncKey, makeBaileysValues, makePairedCreds } from '../support/baileys-values.js'
import { formats } from '../support/value-formats.js'

const viaUpstream = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, BufferJSON.replacer), BufferJSON.reviver)

/** The class of every value at every path, which `toEqual` alone does not compare. */
function classes(value: unknown, path = '$'): string[] {
  if (typeof value !== 'object' || value === null) return [`${path}: ${typeof value}`]
  const own = `${path}: ${value.constructor?.name}`
  if (value instanceof Uint8Array) return [own]
  return [own, ...Object.entries(value).flatMap(([key, child]) => classes(child, `${path}.${key}`))]
}

describe.each(formats)('values that Baileys stores, as $format', ({ roundTrip }) => {
  const plain = Object.entries(makeBaileysValues()).filter(([type]) => type !== 'app-state-sync-key')

  it.each(plain)(
    '%s comes back equal, with every Buffer a Buffer and every Uint8Array a Uint8Array',
    (_type, value) => {
      const back = roundTrip(value)
      expect(back).toStrictEqual(value)
      expect(classes(back)).toEqual(classes(value))
    },
  )

  it('app-state-sync-key comes back with its bytes and its whole 64-bit timestamp', () => {
    const key = makeAppStateSyncKey()
    const back = proto.Message.AppStateSyncKeyData.fromObject(roundTrip(key) as object)
    const { encode } = proto.Message.AppStateSyncKeyData
    expect(Buffer.from(encode(back).finish())).toEqual(Buffer.from(encode(key).finish()))
    expect(String(back.timestamp)).toBe('9007199254740995')
    expect(Buffer.isBuffer(back.keyData)).toBe(true)
  })

  it('an identity key keeps .length and .every, which saveIdentity calls', () => {
    const key = new Uint8Array(33).fill(5)
    const back = roundTrip(key) as Uint8Array
    expect(Buffer.isBuffer(back)).toBe(false)
    expect(back.length).toBe(33)
    expect(back.every((byte, i) => byte === key[i])).toBe(true)
  })

  it('a view into a larger buffer is stored without its surroundings', () => {
    const whole = new Uint8Array([9, 9, 1, 2, 3, 9])
    expect(roundTrip(whole.subarray(2, 5))).toStrictEqual(new Uint8Array([1, 2, 3]))
    expect(roundTrip(Buffer.from(whole.buffer, 2, 3))).toStrictEqual(Buffer.from([1, 2, 3]))
  })
})

describe.each(formats)('creds, as $format', ({ roundTrip }) => {
  it('of a new session come back equal, without their undefined members', () => {
    const creds = initAuthCreds()
    const back = roundTrip(creds)
    expect(back).toEqual(creds)
    expect(classes(back)).toEqual(classes(creds).filter(line => !line.endsWith(': undefined')))
  })

  it('of a paired session come back with bytes as bytes', () => {
    const creds = makePairedCreds()
    const back = roundTrip(creds) as ReturnType<typeof makePairedCreds>
    const { account, ...rest } = creds
    const { account: accountBack, ...restBack } = back
    expect(restBack).toEqual(rest)
    expect(Buffer.isBuffer(back.routingInfo)).toBe(true)
    expect(back.signalIdentities[1]?.identifierKey).toStrictEqual(new Uint8Array(33).fill(6))
    expect(Object.keys(accountBack)).toEqual(Object.keys(account))
    for (const member of ['details', 'accountSignatureKey', 'accountSignature', 'deviceSignature'] as const) {
      expect(Buffer.isBuffer(accountBack[member])).toBe(true)
      expect(accountBack[member]).toEqual(account[member])
    }
  })
})

describe.each(formats)(
  'a value that BufferJSON of Baileys destroys comes back as $format:',
  ({ roundTrip }) => {
    it.each([
      ['an object with digits for keys', { 2024: 1 }],
      ['a Uint8Array', new Uint8Array([1, 2])],
      ['NaN', Number.NaN],
      ['a Date', new Date(0)],
    ])('%s', (_what, value) => {
      expect(viaUpstream({ value })).not.toStrictEqual({ value })
      expect(roundTrip({ value })).toStrictEqual({ value })
    })

    it('a bigint, on which BufferJSON throws', () => {
      expect(() => viaUpstream(1n)).toThrow(TypeError)
      expect(roundTrip(1n)).toBe(1n)
    })

    it('bytes that plain JSON.stringify has written as numbers', () => {
      const text = JSON.stringify(Buffer.from([1, 2]))
      expect(JSON.parse(text, BufferJSON.reviver)).not.toBeInstanceOf(Buffer)
      expect(deserialize(text)).toStrictEqual(Buffer.from([1, 2]))
    })

    it('a value that BufferJSON has written', () => {
      const written = JSON.stringify(makeBaileysValues()['pre-key'], BufferJSON.replacer)
      expect(deserialize(written)).toStrictEqual(JSON.parse(written, BufferJSON.reviver))
    })
  },
)
