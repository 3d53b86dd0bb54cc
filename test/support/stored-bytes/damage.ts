import { gzipSync } from 'node:zlib'
import type { Random } from '../simulation/random.js'

const MIB = 1024 * 1024

export interface Damage {
  readonly kind: string
  readonly value: unknown
}

const json = (text: string) => Buffer.concat([Buffer.of(0xb1, 0), Buffer.from(text)])
const tagged = (type: string, text: string) => json(`{"type":"${type}","data":"${text}"}`)

/** Envelopes that ask for much more than they weigh. */
const HOSTILE: readonly Damage[] = (
  [
    ['a gzip bomb', Buffer.concat([Buffer.of(0xb1, 8), gzipSync(Buffer.alloc(80 * MIB, '['))])],
    [
      'gzip that is millions of lists',
      Buffer.concat([Buffer.of(0xb1, 8), gzipSync(`[${'[],'.repeat(5_000_000)}0]`)]),
    ],
    ['a bigint of a million digits', tagged('BigInt', '9'.repeat(1_000_000))],
    ['a number of a million digits', tagged('Number', '9'.repeat(1_000_000))],
    ['100,000 levels', json('['.repeat(100_000) + ']'.repeat(100_000))],
    ['MessagePack of 100,000 levels', Buffer.concat([Buffer.of(0xb1, 1), Buffer.alloc(100_000, 0x91)])],
    ['a list of 2^32 - 1', Buffer.of(0xb1, 1, 0xdd, 0xff, 0xff, 0xff, 0xff, 1)],
    ['Snappy of 1 GiB', Buffer.of(0xb1, 4, 0x80, 0x80, 0x80, 0x80, 0x04, 0, 0x61)],
    ['a later format', Buffer.of(0xb2, 0, 0x7b, 0x7d)],
    ['null', json('null')],
    ['a list', json('[]')],
    ['an empty object', json('{}')],
  ] as const
).map(([kind, value]) => ({ kind, value }))

const OTHER_TYPES: readonly unknown[] = [
  undefined,
  null,
  '',
  'text',
  '0',
  true,
  0,
  -1,
  0.5,
  1e20,
  2 ** 53 + 2,
  8.64e15,
  8.64e15 - 1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  [],
  [null],
  {},
  { v: 1 },
  Buffer.alloc(0),
  Buffer.of(0),
  new Date(-1),
  new Date(8.64e15),
]

/** What stands in the place of `value`: flipped, cut, longer, another's, of another type, or huge. */
export function damage(random: Random, value: unknown, others: readonly unknown[]): Damage {
  switch (random.whole(6)) {
    case 0:
      return { kind: 'another type', value: random.pick(OTHER_TYPES) }
    case 1:
      return { kind: 'of another record', value: random.pick(others) }
    case 2:
      return random.pick(HOSTILE)
    case 3: {
      const size = random.pick([64 * 1024, 100_000, MIB])
      return {
        kind: `${size} characters`,
        value: random.pick(['9', 'x', '\n', 'a ', 'a\n', 'op 7 7\n']).repeat(size),
      }
    }
    default:
      return alter(random, value)
  }
}

/** The same, in parts. */
function alter(random: Random, value: unknown): Damage {
  if (typeof value === 'string') {
    const { kind, value: bytes } = alterBytes(random, Buffer.from(value))
    return { kind, value: bytes.toString() }
  }
  if (Buffer.isBuffer(value)) return alterBytes(random, value)
  if (typeof value === 'number') {
    const by = random.pick([-1, 1, 1000, 2 ** 20, 2 ** 40])
    return { kind: `changed by ${by}`, value: value + by }
  }
  if (value instanceof Date) {
    const by = random.pick([-(2 ** 40), -1000, 1000, 2 ** 40])
    return { kind: `later by ${by} ms`, value: new Date(value.getTime() + by) }
  }
  return { kind: 'removed', value: undefined }
}

function alterBytes(random: Random, bytes: Buffer): { kind: string; value: Buffer } {
  const copy = Buffer.from(bytes)
  const at = random.whole(copy.length || 1)
  switch (random.whole(4)) {
    case 0:
      if (copy.length > 0) copy[at] = (copy[at] as number) ^ (1 << random.whole(8))
      return { kind: `a bit at ${at}`, value: copy }
    case 1:
      return { kind: `cut off at ${at}`, value: copy.subarray(0, at) }
    case 2:
      return {
        kind: 'appended',
        value: Buffer.concat([
          copy,
          Buffer.from(
            random.pick(['0', ' ', '\n', '\0', 'x 1 1\n', '\nx'.repeat(40), '\nx 1 1'.repeat(4000)]),
          ),
        ]),
      }
    default: {
      const end = Math.min(copy.length, at + 1 + random.whole(8))
      return { kind: `overwritten at ${at}`, value: copy.fill(random.whole(256), at, end) }
    }
  }
}
