import { describe, expect, it } from 'vitest'
import { deepBufferRevive } from '../../src/core/codec/buffers.js'

const HI = Buffer.from('hi')

describe('deepBufferRevive', () => {
  it.each([
    ['base64', { type: 'Buffer', data: 'aGk=' }],
    ['an array', { type: 'Buffer', data: [104, 105] }],
    ['an object with digit keys', { type: 'Buffer', data: { 0: 104, 1: 105 } }],
    ['a Buffer as data', { type: 'Buffer', data: Buffer.from('hi') }],
    ['a Uint8Array as data', { type: 'Buffer', data: new Uint8Array([104, 105]) }],
    ['the old form', { buffer: true, data: 'aGk=' }],
    ['the old form with numbers', { buffer: true, data: [104, 105] }],
  ])('makes a Buffer of %s, however deep', (_form, value) => {
    expect(deepBufferRevive(value)).toStrictEqual(HI)
    expect(deepBufferRevive({ list: [{ value }] })).toStrictEqual({ list: [{ value: HI }] })
  })

  it('makes a Uint8Array, not a Buffer, of a value tagged as one', () => {
    const revived = deepBufferRevive({ type: 'Uint8Array', data: 'aGk=' })
    expect(revived).toStrictEqual(new Uint8Array([104, 105]))
    expect(Buffer.isBuffer(revived)).toBe(false)
  })

  it.each([
    ['a real Buffer', HI],
    ['a real Uint8Array', new Uint8Array([1])],
    ['text', 'aGk='],
    ['null', null],
    ['digit keys without a tag', { 0: 104, 1: 105 }],
    ['numbers outside the range of a byte', { type: 'Buffer', data: [256] }],
    ['digit keys with a gap', { type: 'Buffer', data: { 0: 104, 2: 105 } }],
    ['a Buffer without data', { type: 'Buffer' }],
    ['buffer: false', { buffer: false, data: 'aGk=' }],
    ['another type', { type: 'Other', data: 'aGk=' }],
  ])('leaves %s as it is', (_what, value) => {
    expect(deepBufferRevive(value)).toStrictEqual(value)
  })

  it('leaves its input unchanged and shares no object or list with it', () => {
    const input = { list: [{ key: { type: 'Buffer', data: [1] } }], plain: { a: 1 } }
    const before = structuredClone(input)
    const revived = deepBufferRevive<typeof input>(input)
    expect(input).toStrictEqual(before)
    expect(revived).not.toBe(input)
    expect(revived.plain).not.toBe(input.plain)
    expect(revived.list).not.toBe(input.list)
  })

  it('keeps a key named __proto__ a key', () => {
    const revived = deepBufferRevive<{ polluted?: boolean }>(JSON.parse('{"__proto__": {"polluted": true}}'))
    expect(Object.keys(revived)).toEqual(['__proto__'])
    expect(revived.polluted).toBeUndefined()
  })
})
