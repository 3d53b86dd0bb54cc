import { createCodec } from '../../src/core/codec.js'
import { type SecurityOptions, toCodecOptions } from '../../src/core/options.js'
import { MASTER_KEY } from '../contenders/place.js'
import type { Effort } from '../effort.js'
import { type Entry, measure } from '../measure.js'
import type { Recorder } from '../recorder.js'
import { makeSessions } from '../values.js'

const CIPHERS = ['none', 'aes-256-gcm', 'secretbox'] as const
const COMPRESSIONS = ['none', 'snappy', 'gzip'] as const
/** Calls of one sample: a single one is too short for the clock. */
const CALLS = 64

/** What encoding and decoding a value takes, by cipher and compression. */
export async function measureCodec(effort: Effort, recorder: Recorder): Promise<void> {
  recorder.say('codec')
  for (const ratchets of [1, 2]) {
    const values = makeSessions(CALLS, ratchets)
    const entries: Entry<string>[] = []
    const sizes = new Map<string, number>()
    for (const cipher of CIPHERS) {
      for (const compression of COMPRESSIONS) {
        const codec = await createCodec(toCodecOptions(toOptions(cipher, compression)))
        const name = { sessionId: 's', type: 'session', id: '1' }
        const stored = values.map(value => codec.encode(name, value))
        const of = `${cipher} ${compression}`
        sizes.set(of, Math.round(stored.reduce((sum, bytes) => sum + bytes.length, 0) / CALLS))
        entries.push(
          { of: `${of} encode`, call: async () => void values.map(value => codec.encode(name, value)) },
          { of: `${of} decode`, call: async () => void stored.map(bytes => codec.decode(name, bytes)) },
        )
      }
    }
    const outcomes = await measure(entries, effort)
    const toUs = (of: string): number => {
      const outcome = outcomes.find(one => one.of === of)
      return outcome && 'latency' in outcome ? (outcome.latency.p50Ms * 1000) / CALLS : Number.NaN
    }
    for (const [of, storedBytes] of sizes) {
      const [cipher = '', compression = ''] = of.split(' ')
      recorder.results.codec.push({
        cipher,
        compression,
        bytes: ratchets * 1024,
        storedBytes,
        encodeUs: toUs(`${of} encode`),
        decodeUs: toUs(`${of} decode`),
      })
    }
  }
}

function toOptions(cipher: (typeof CIPHERS)[number], compression: (typeof COMPRESSIONS)[number]) {
  const security: SecurityOptions = {
    enableCompression: compression !== 'none',
    ...(compression !== 'none' && { compressionAlgorithm: compression }),
    ...(cipher !== 'none' && { encryptionAlgorithm: cipher }),
  }
  return { ...(cipher !== 'none' && { masterKey: MASTER_KEY }), security }
}
