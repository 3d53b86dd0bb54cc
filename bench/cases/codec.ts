import { serialize } from '../../src/core/codec/buffers.js'
import { createCodec } from '../../src/core/codec/codec.js'
import type { SecurityOptions } from '../../src/core/input/options.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'
import { MASTER_KEY } from '../contenders/place.js'
import type { Effort } from '../effort.js'
import type { CodecFigure } from '../figures.js'
import { type Entry, measure } from '../measure.js'
import type { Recorder } from '../recorder.js'
import { makePreKeys, makeSenderKey, makeSession } from '../values.js'

const CIPHERS = ['none', 'aes-256-gcm', 'secretbox'] as const
const COMPRESSIONS = ['none', 'snappy', 'gzip'] as const
/** Calls of one sample: a single one is too short for the clock. */
const CALLS = 64

const VALUES: Readonly<Record<string, () => unknown>> = {
  'session, 1 KB': () => makeSession(1),
  'session, 2 KB': () => makeSession(2),
  'pre-key': () => Object.values(makePreKeys(1))[0],
  'sender-key': makeSenderKey,
}

type Sizes = Pick<CodecFigure, 'value' | 'cipher' | 'compression' | 'jsonBytes' | 'storedBytes'>
type Sample = Sizes & { direction: 'encodeUs' | 'decodeUs' }

/** What encoding and decoding a value takes, by cipher and compression. */
export async function measureCodec(effort: Effort, recorder: Recorder): Promise<void> {
  recorder.say('codec')
  for (const [value, make] of Object.entries(VALUES)) {
    const values = Array.from({ length: CALLS }, make)
    const jsonBytes = mean(values.map(one => Buffer.byteLength(serialize(one))))
    const entries: Entry<Sample>[] = []
    for (const cipher of CIPHERS) {
      for (const compression of COMPRESSIONS) {
        const codec = await createCodec(toCodecOptions(toOptions(cipher, compression)))
        const name = { sessionId: 's', type: 'session', id: '1' }
        const stored = values.map(one => codec.encode(name, one))
        const storedBytes = mean(stored.map(bytes => bytes.length))
        const sizes = { value, cipher, compression, jsonBytes, storedBytes }
        const encode = async () => void values.map(one => codec.encode(name, one))
        const decode = async () => void stored.map(bytes => codec.decode(name, bytes))
        entries.push({ of: { ...sizes, direction: 'encodeUs' }, call: encode })
        entries.push({ of: { ...sizes, direction: 'decodeUs' }, call: decode })
      }
    }
    const figures = new Map<string, CodecFigure>()
    for (const outcome of await measure(entries, effort)) {
      const { direction, ...sizes } = outcome.of
      const name = `${sizes.cipher} ${sizes.compression}`
      const us = 'latency' in outcome ? (outcome.latency.p50Ms * 1000) / CALLS : Number.NaN
      const known = figures.get(name) ?? { ...sizes, encodeUs: Number.NaN, decodeUs: Number.NaN }
      figures.set(name, { ...known, [direction]: us })
    }
    recorder.results.codec.push(...figures.values())
  }
}

function mean(numbers: readonly number[]): number {
  return Math.round(numbers.reduce((sum, number) => sum + number, 0) / numbers.length)
}

function toOptions(cipher: (typeof CIPHERS)[number], compression: (typeof COMPRESSIONS)[number]) {
  const security: SecurityOptions = {
    enableCompression: compression !== 'none',
    ...(compression !== 'none' && { compressionAlgorithm: compression }),
    ...(cipher !== 'none' && { encryptionAlgorithm: cipher }),
  }
  return { ...(cipher !== 'none' && { masterKey: MASTER_KEY }), security }
}
