import { type Codec, createCodec } from '../../src/core/codec/codec.js'
import type { CommonOptions } from '../../src/core/input/options.js'
import type { ValueName } from '../../src/core/names.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'

export const MASTER_KEY = 'a1'.repeat(32)
export const OTHER_KEY = 'b2'.repeat(32)
export const NAME: ValueName = { sessionId: 'bot-1', type: 'session', id: 'peer.0' }
export const DAY_MS = 24 * 60 * 60 * 1000

/** A codec as an entry would make it of these options, at an instant that does not move. */
export function makeCodec(options: CommonOptions, nowMs = Date.UTC(2026, 0, 1)): Promise<Codec> {
  return createCodec(toCodecOptions(options, () => nowMs))
}

export function sealing(
  encryptionAlgorithm: 'aes-256-gcm' | 'secretbox',
  compressionAlgorithm?: 'snappy' | 'gzip',
): CommonOptions {
  const compression = compressionAlgorithm && { enableCompression: true, compressionAlgorithm }
  return { masterKey: MASTER_KEY, security: { encryptionAlgorithm, ...compression } }
}
