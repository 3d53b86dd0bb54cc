import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { compressSync } from 'snappy'
import { describe, expect, it } from 'vitest'
import { catchError } from '../support/catch-error.js'
import { MASTER_KEY, makeCodec, NAME, sealing } from '../support/test-codec.js'

const plainly = (compressionAlgorithm: 'snappy' | 'gzip') => ({
  security: { enableCompression: true, compressionAlgorithm },
})
const MAX_BYTES = 64 * 1024 * 1024
const FLAGS = { none: 0, snappy: 4, gzip: 8 }

describe.each(['snappy', 'gzip'] as const)('%s', compression => {
  it('shrinks a value above 512 bytes and gives it back', async () => {
    const codec = await makeCodec(plainly(compression))
    const value = 'x'.repeat(511) // and its quotes
    const stored = codec.encode(NAME, value)
    expect(stored[1]).toBe(FLAGS[compression])
    expect(stored.length).toBeLessThan(200)
    expect(codec.decode(NAME, stored)).toBe(value)
  })

  it('leaves a value of 512 bytes or less as it is', async () => {
    const codec = await makeCodec(plainly(compression))
    const stored = codec.encode(NAME, 'x'.repeat(510))
    expect(stored[1]).toBe(FLAGS.none)
    expect(stored).toHaveLength(514)
  })

  it('comes before encryption, and is read by a codec with another compression or none', async () => {
    const value = 'x'.repeat(5000)
    const sealed = (await makeCodec(sealing('secretbox', compression))).encode(NAME, value)
    expect(sealed.length).toBeLessThan(500)
    const other = compression === 'gzip' ? 'snappy' : 'gzip'
    for (const options of [sealing('secretbox', other), sealing('secretbox'), { masterKey: MASTER_KEY }]) {
      expect((await makeCodec(options)).decode(NAME, sealed)).toBe(value)
    }
  })

  it('is off by default', async () => {
    expect((await makeCodec({})).encode(NAME, 'x'.repeat(5000))[1]).toBe(FLAGS.none)
    const security = { compressionAlgorithm: compression }
    expect((await makeCodec({ security })).encode(NAME, 'x'.repeat(5000))[1]).toBe(FLAGS.none)
  })

  it('refuses an invalid stream', async () => {
    const codec = await makeCodec({})
    for (const payload of [Buffer.alloc(0), Buffer.from('no such stream'), randomBytes(100)]) {
      const stored = Buffer.concat([Buffer.of(0xb1, FLAGS[compression]), payload])
      await catchError('CORRUPT_VALUE', () => codec.decode(NAME, stored))
    }
  })

  it('refuses a stream that would inflate above 64 MiB', async () => {
    const compress = compression === 'gzip' ? gzipSync : compressSync
    const json = Buffer.alloc(MAX_BYTES + 1, ' ').fill('1', MAX_BYTES)
    const bomb = compress(json)
    const stored = Buffer.concat([Buffer.of(0xb1, FLAGS[compression]), bomb])
    const codec = await makeCodec({})
    const error = await catchError('CORRUPT_VALUE', () => codec.decode(NAME, stored))
    expect(error.message).toContain('does not inflate')
  })
})

it('snappy output is kept only when it is smaller', async () => {
  const codec = await makeCodec(plainly('snappy'))
  const value = randomBytes(2000).toString('base64') // which Snappy, without entropy coding, cannot shrink
  const stored = codec.encode(NAME, value)
  expect(stored[1]).toBe(FLAGS.none)
  expect(codec.decode(NAME, stored)).toBe(value)
})

it('snappy refuses a false length before it takes the memory', async () => {
  const codec = await makeCodec({})
  const lies = [
    [0xff, 0xff, 0xff, 0xff, 0x0f], // 4 GiB
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // no varint of 32 bits
    [0x81, 0x80, 0x80, 0x20], // 64 MiB and one byte
  ]
  for (const lie of lies) {
    const stored = Buffer.from([0xb1, FLAGS.snappy, ...lie, 0, 0x61])
    const error = await catchError('CORRUPT_VALUE', () => codec.decode(NAME, stored))
    expect(String((error.cause as Error).message)).toContain('would inflate too far')
  }
})
