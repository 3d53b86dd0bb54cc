import { gzipSync } from 'node:zlib'
import { compressSync } from 'snappy'
import { describe, expect, it } from 'vitest'
import type { Codec } from '../../src/core/codec/codec.js'
import { InvalidValueError } from '../../src/core/errors.js'
import { makeBaileysValues, makePairedCreds } from '../support/baileys-values.js'
import { catchError } from '../support/catch-error.js'
import { Random } from '../support/simulation/random.js'
import { MASTER_KEY, makeCodec, NAME, sealing } from '../support/test-codec.js'

const TYPED = ['DECRYPTION_FAILED', 'CORRUPT_VALUE', 'UNSUPPORTED_FORMAT']
/** No value may block the process for longer, however slow the machine is. */
const MAX_MS = 5000
const MIB = 1024 * 1024

const json = (text: string) => Buffer.concat([Buffer.of(0xb1, 0), Buffer.from(text)])
const messagePack = (...parts: (number[] | Buffer)[]) =>
  Buffer.concat([Buffer.of(0xb1, 1), ...parts.map(part => Buffer.from(part))])
const gzipped = (text: Buffer) => Buffer.concat([Buffer.of(0xb1, 8), gzipSync(text)])
const snappied = (text: Buffer) => Buffer.concat([Buffer.of(0xb1, 4), compressSync(text)])
/** As large as a value may be, with as many parts as it can hold. */
const list = (part: string) => {
  const count = Math.floor((64 * MIB - 100) / (part.length + 1))
  return Buffer.concat([
    Buffer.from('['),
    Buffer.alloc(count * (part.length + 1), `${part},`),
    Buffer.from(`${part}]`),
  ])
}

describe('excessive stored bytes', () => {
  it.each<[string, () => Buffer]>([
    ['a bigint of 60 million digits', () => json(`{"type":"BigInt","data":"${'9'.repeat(60_000_000)}"}`)],
    ['a bigint of 10,001 digits', () => json(`{"type":"BigInt","data":"${'9'.repeat(10_001)}"}`)],
    ['a bigint that is no decimal', () => json('{"type":"BigInt","data":"0x10"}')],
    ['a bigint that is empty', () => json('{"type":"BigInt","data":""}')],
    ['a number of 60 million digits', () => json(`{"type":"Number","data":"${'9'.repeat(60_000_000)}"}`)],
    ['a number that JSON has', () => json('{"type":"Number","data":"5"}')],
    ['a date that is text', () => json('{"type":"Date","data":"2026-01-01"}')],
    ['a date beyond the calendar', () => json('{"type":"Date","data":1e300}')],
    ['a date that is a list', () => json('{"type":"Date","data":[5]}')],
    ['60 KB of gzip that hold millions of lists', () => gzipped(list('[]'))],
    ['gzip that holds millions of objects', () => gzipped(list('{}'))],
    ['gzip that holds millions of numbers', () => gzipped(list('0'))],
    ['Snappy that holds millions of lists', () => snappied(list('[]'))],
    [
      'bytes as millions of numbers',
      () => gzipped(Buffer.concat([Buffer.from('{"type":"Buffer","data":'), list('0'), Buffer.from('}')])),
    ],
    ['Snappy that claims to hold 60 MiB', () => Buffer.from([0xb1, 4, 0x80, 0x80, 0x80, 0x1e, 0, 0x61])],
    ['JSON of 100,000 levels', () => json(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    [
      'JSON of 100,000 levels of tags',
      () => json(`${'{"type":"Object","data":'.repeat(100_000)}{}${'}'.repeat(100_000)}`),
    ],
    ['JSON of 600 levels', () => json(`${'{"a":'.repeat(600)}1${'}'.repeat(600)}`)],
    ['MessagePack of 100,000 levels', () => messagePack(Buffer.alloc(100_000, 0x91), [1])],
    ['MessagePack of 600 levels', () => messagePack(Buffer.alloc(600, 0x91), [1])],
    [
      'MessagePack that holds millions of lists',
      () => messagePack([0xdd, 0x01, 0, 0, 0], Buffer.alloc(0x01000000, 0x90)),
    ],
    ['a list of 2^32 - 1', () => messagePack([0xdd, 0xff, 0xff, 0xff, 0xff, 1])],
    ['a map of 2^32 - 1', () => messagePack([0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 0x61, 1])],
    ['text of 4 GiB', () => messagePack([0xdb, 0xff, 0xff, 0xff, 0xff, 0x61])],
    ['binary of 4 GiB', () => messagePack([0xc6, 0xff, 0xff, 0xff, 0xff, 1])],
    ['an extension of 4 GiB', () => messagePack([0xc9, 0xff, 0xff, 0xff, 0xff, 1, 1])],
    ['a value above 64 MiB', () => messagePack([0xc6, 0x04, 0, 0, 0], Buffer.alloc(64 * MIB))],
  ])('%s are refused quickly', async (_, make) => {
    const codec = await makeCodec({})
    const stored = make()
    const beganMs = performance.now()
    const beganBytes = process.memoryUsage().heapTotal
    await catchError('CORRUPT_VALUE', () => codec.decode(NAME, stored))
    expect(performance.now() - beganMs).toBeLessThan(MAX_MS)
    expect(process.memoryUsage().heapTotal - beganBytes).toBeLessThan(256 * MIB)
  })
})

describe('MessagePack that the codec never writes is refused:', () => {
  it.each<[string, number[]]>([
    ['undefined of msgpackr', [0xd4, 0, 0]],
    ['a date of msgpack', [0xd6, 0xff, 0, 0, 0, 1]],
    ['a Set of msgpackr', [0xd4, 0x73, 0x91, 1]],
    ['an Error of msgpackr', [0xd4, 0x65, 0x93, 0xa5, 0x45, 0x72, 0x72, 0x6f, 0x72, 0xa1, 0x61, 0xc0]],
    ['a RegExp of msgpackr', [0xd4, 0x78, 0x92, 0xa1, 0x61, 0xa0]],
    ['a record of msgpackr', [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1]],
    ['a pointer of msgpackr', [0xd6, 0x70, 0, 0, 0, 1]],
    ['bundled text of msgpackr', [0xd6, 0x62, 0, 0, 0, 6, 0xa1, 0x61]],
    ['typed arrays of msgpackr', [0xc7, 5, 0x74, 6, 1, 0, 0, 0]],
    ['the unused type byte', [0xc1]],
    ['a name that is a number', [0x81, 1, 1]],
    ['a name that is a list', [0x81, 0x91, 1, 1]],
    ['a name that prototypes have', [0x81, 0xa9, ...Buffer.from('__proto__'), 0x81, 0xa1, 0x61, 1]],
    ['a map without a value', [0x81, 0xa1, 0x61]],
  ])('%s', async (_, bytes) => {
    const codec = await makeCodec({})
    await catchError('CORRUPT_VALUE', () => codec.decode(NAME, messagePack([0x81, 0xa1, 0x61], bytes)))
  })
})

describe('a value that could not be read again is refused:', () => {
  it.each<[string, () => unknown]>([
    ['a bigint of 10,001 digits', () => 10n ** 10_000n],
    ['a bigint of a million digits', () => 1n << 4_000_000n],
    ['more than a million numbers', () => Array.from({ length: 1_100_000 }, () => 1)],
    [
      'more than a million lists and bytes',
      () => Array.from({ length: 3_000_000 }, (_, n) => (n === 0 ? Buffer.of(1) : 1)),
    ],
  ])('%s', async (_, make) => {
    const codec = await makeCodec({})
    expect(() => codec.encode(NAME, make())).toThrow(InvalidValueError)
  })

  it('a value at the limit is written and read', async () => {
    const codec = await makeCodec({})
    const digits = -(10n ** 9_998n)
    let deep: unknown = { bytes: Buffer.of(1) }
    for (let n = 0; n < 198; n++) deep = { type: 'Object', data: deep }
    const many = Array.from({ length: 1_000_000 }, () => 1)
    for (const value of [digits, deep, many])
      expect(codec.decode(NAME, codec.encode(NAME, value))).toStrictEqual(value)
  })
})

/** `SEED=n` tries that seed only. */
const SEEDS = process.env.SEED ? [Number(process.env.SEED)] : Array.from({ length: 3000 }, (_, n) => n)

describe.each([
  ['in the clear', {}],
  ['in the clear, with gzip', { security: { enableCompression: true, compressionAlgorithm: 'gzip' } }],
  ['in the clear, with Snappy', { security: { enableCompression: true } }],
  ['with aes-256-gcm', sealing('aes-256-gcm')],
  ['with secretbox and gzip', sealing('secretbox', 'gzip')],
  [
    'with encryption on and plaintext values allowed',
    { masterKey: MASTER_KEY, security: { allowPlaintext: true } },
  ],
] as const)('stored bytes damaged by a seed, %s,', (_, options) => {
  it('give a value or a typed error quickly', async () => {
    const codec = await makeCodec(options)
    const plain = await makeCodec({})
    const values = [
      ...Object.values(makeBaileysValues()),
      makePairedCreds(),
      { n: [-0, 5n ** 50n, new Date(5)], text: 'a'.repeat(600) },
    ]
    for (const seed of SEEDS) {
      const random = new Random(seed)
      const value = values[random.whole(values.length)]
      const writer = random.whole(4) === 0 ? plain : codec
      const beganMs = performance.now()
      decodeSafely(codec, damage(random, Buffer.from(writer.encode(NAME, value))), seed)
      expect(performance.now() - beganMs, `SEED=${seed}`).toBeLessThan(MAX_MS)
    }
  })
})

function decodeSafely(codec: Codec, bytes: Uint8Array, seed: number): void {
  let value: unknown
  try {
    value = codec.decode(NAME, bytes)
  } catch (error) {
    expect(TYPED, `SEED=${seed}: ${error}`).toContain((error as { code?: unknown }).code)
    return
  }
  expect(value == null, `SEED=${seed}`).toBe(false)
}

/** Flips, cuts, swaps, retypes or inflates parts of the bytes, at places chosen by the seed. */
function damage(random: Random, bytes: Buffer): Buffer {
  let damaged = bytes
  for (let times = 1 + random.whole(3); times > 0; times--) {
    const at = random.whole(damaged.length || 1)
    const other = random.whole(damaged.length || 1)
    const copy = Buffer.from(damaged)
    switch (random.whole(7)) {
      case 0: // a bit
        if (copy.length > 0) copy[at] = (copy[at] as number) ^ (1 << random.whole(8))
        break
      case 1: // the end
        damaged = copy.subarray(0, at)
        continue
      case 2: // two places
        if (copy.length > 0) [copy[at], copy[other]] = [copy[other] as number, copy[at] as number]
        break
      case 3: // the serialiser, compression or cipher
        copy[1] = random.whole(64)
        break
      case 4: // a type of MessagePack with a length
        copy[at] = 0xc4 + random.whole(0x1c)
        break
      case 5: // a huge length
        copy.fill(0xff, at, Math.min(copy.length, at + 1 + random.whole(5)))
        break
      default: // again and again
        damaged = Buffer.concat([
          copy.subarray(0, at),
          ...Array(random.whole(400)).fill(copy.subarray(at, at + 8)),
          copy.subarray(at),
        ])
        continue
    }
    damaged = copy
  }
  return damaged
}
