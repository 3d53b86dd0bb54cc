import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deserialize, serialize } from '../../src/core/codec/buffers.js'
import { InvalidValueError } from '../../src/core/errors.js'
import { formats } from '../support/value-formats.js'

const NAMES = [
  ...['__proto__', 'constructor', 'toString', 'toJSON', 'hasOwnProperty', 'length'],
  ...['type', 'data', 'buffer', '2024', '0'],
]
/** Names with a meaning in JavaScript or in a format. */
const key = fc.oneof(fc.string(), fc.constantFrom(...NAMES))
const bytes = fc.uint8Array({ maxLength: 40 })
const tag = fc.constantFrom('BigInt', 'Number', 'Date', 'Uint8Array', 'Object', 'Other')
const leaf = fc.oneof(
  fc.constantFrom(null, true, false, Number.NaN, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.double(),
  fc.string({ unit: 'binary' }),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }), // isDeepStrictEqual holds an invalid date for unequal to itself
  bytes,
  bytes.map(value => Buffer.from(value)),
)
const { value: tree } = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.uniqueArray(fc.tuple(key, tie('value')), { maxLength: 6, selector: ([name]) => name }).map(own),
    fc.tuple(tag, tie('value')).map(([type, data]) => ({ type, data })),
  ),
}))

/** As an object with these own properties, `__proto__` among them. */
function own(entries: [string, unknown][]): object {
  return Object.fromEntries(entries)
}

describe.each(formats)('$format', ({ roundTrip }) => {
  it('gives back every tree of JSON, bytes, bigints, dates and special numbers', () => {
    fc.assert(
      fc.property(tree, value => {
        // Unlike toStrictEqual it does not take a key named `constructor` for the class.
        expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('leaves its input unchanged', () => {
    fc.assert(
      fc.property(tree, value => {
        const before = structuredClone(value)
        roundTrip(value)
        expect(isDeepStrictEqual(structuredClone(value), before)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('writes into no object, even a frozen one', () => {
    const value = Object.freeze({ bytes: Object.freeze([Buffer.from('a')]), at: new Date(0) })
    expect(roundTrip(value)).toStrictEqual({ bytes: [Buffer.from('a')], at: new Date(0) })
  })

  it.each([
    ['-0', -0],
    ['an invalid date', new Date(Number.NaN)],
    ['digits for keys', { 2024: 1 }],
    ['a bigint beyond 2^64', 2n ** 80n],
    ['a tag of this format', { type: 'BigInt', data: '1' }],
    ['an empty escaped object', { type: 'Object', data: {} }],
    ['escapes in escapes', { type: 'Object', data: { type: 'Object', data: { type: 'Number', data: 1 } } }],
    ['a tag around bytes', { type: 'Uint8Array', data: Buffer.from('a') }],
    ['a tag with one member more', { type: 'BigInt', data: '1', more: true }],
    ['a Buffer with one member more', { type: 'Buffer', data: 'aGk=', more: true }],
    ['an object with buffer: true', { buffer: true, data: 'aGk=' }],
  ])('gives back %s', (_what, value) => {
    expect(roundTrip(value)).toStrictEqual(value)
    expect(roundTrip([{ deep: value }])).toStrictEqual([{ deep: value }])
  })

  it('keeps a key named __proto__ a key', () => {
    const value = JSON.parse('{"__proto__": {"polluted": true}}')
    Object.defineProperty(value, 'bytes', { value: Buffer.from('a'), enumerable: true })
    const back = roundTrip(value) as { polluted?: boolean }
    expect(Object.keys(back)).toEqual(['__proto__', 'bytes'])
    expect(back.polluted).toBeUndefined()
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('makes a Buffer of an object that looks like one, as BufferJSON does', () => {
    expect(roundTrip({ type: 'Buffer', data: 'aGk=' })).toStrictEqual(Buffer.from('hi'))
    expect(roundTrip({ type: 'Buffer', data: [104, 105] })).toStrictEqual(Buffer.from('hi'))
  })

  it('leaves undefined and functions out of objects, and writes null for them in arrays, as JSON does', () => {
    const value = { a: undefined, b: () => 1, c: [undefined, () => 1, Symbol('s')] }
    expect(roundTrip(value)).toStrictEqual({ c: [null, null, null] })
  })

  const circular: { self?: unknown } = {}
  circular.self = [circular]

  it.each<[string, unknown]>([
    ['a Map', new Map([['a', 1]])],
    ['a RegExp', /a/],
    ['an Error', new Error('a')],
    ['a Promise', Promise.resolve(1)],
    ['a Set', new Set([1])],
    ['a Float64Array', new Float64Array(1)],
    ['a Uint16Array', new Uint16Array(1)],
    ['a DataView', new DataView(new ArrayBuffer(1))],
    ['an ArrayBuffer', new ArrayBuffer(1)],
    ['a cycle', circular],
  ])('refuses %s, at the top and inside', (_what, value) => {
    expect(() => roundTrip(value)).toThrow(InvalidValueError)
    expect(() => roundTrip({ list: [value] })).toThrow(InvalidValueError)
  })

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
  ])('refuses %s at the top', (_what, value) => {
    expect(() => roundTrip(value)).toThrow(InvalidValueError)
  })

  it('refuses more than 200 levels, and takes 200', () => {
    const nest = (levels: number): unknown => {
      let value: unknown = 1
      for (let i = 0; i < levels; i++) value = [value]
      return value
    }
    expect(roundTrip(nest(200))).toStrictEqual(nest(200))
    expect(() => roundTrip(nest(202))).toThrow(InvalidValueError)
    expect(() => roundTrip(nest(100_000))).toThrow(InvalidValueError)
  })

  it('refuses a list of 2^32 holes at once', () => {
    expect(() => roundTrip({ list: new Array(2 ** 32 - 1) })).toThrow(InvalidValueError)
  })
})

describe('deserialize', () => {
  it.each([
    '{"type":"Buffer","data":"aGk="}',
    '{ "type" : "Buffer", "data" : "aGk=" }',
    '{"\\u0074ype":"Buffer","data":"aGk="}',
  ])('finds a tag however it is written: %s', text =>
    expect(deserialize(`[${text}]`)).toStrictEqual([Buffer.from('hi')]),
  )
})

describe('deserialize and serialize', () => {
  it('write the documented tags', () => {
    const value = [
      Buffer.from('hi'),
      new Uint8Array([1]),
      5n,
      Number.NaN,
      -0,
      new Date(7),
      new Date(Number.NaN),
    ]
    expect(JSON.parse(serialize(value))).toEqual([
      { type: 'Buffer', data: 'aGk=' },
      { type: 'Uint8Array', data: 'AQ==' },
      { type: 'BigInt', data: '5' },
      { type: 'Number', data: 'NaN' },
      { type: 'Number', data: '-0' },
      { type: 'Date', data: 7 },
      { type: 'Date', data: null },
    ])
    expect(JSON.parse(serialize({ type: 'Date', data: 1 }))).toEqual({
      type: 'Object',
      data: { type: 'Date', data: 1 },
    })
  })

  it('throw a SyntaxError for text that is not JSON', () => {
    expect(() => deserialize('{')).toThrow(SyntaxError)
    expect(() => deserialize('{"type":"Object","data":null}')).toThrow(SyntaxError)
    expect(() => deserialize('[{"type":"Object","data":[1]}]')).toThrow(SyntaxError)
    expect(() => deserialize('')).toThrow(SyntaxError)
  })

  it('quote nothing of a text that is not JSON', () => {
    expect(() => deserialize('secret')).toThrow(new SyntaxError('The text is not JSON.'))
  })
})
