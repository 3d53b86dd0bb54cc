import { gunzipSync, gzipSync } from 'node:zlib'
import { MAX_VALUE_BYTES } from '../backend.js'
import { CorruptValueError, MissingDependencyError } from '../errors.js'
import type { CompressionName } from './envelope.js'

/** Compressing smaller values costs more than it gains. */
export const COMPRESS_ABOVE_BYTES = 512

/**
 * Three bytes of a Snappy stream give at most 64. A stream that claims more lies, and is refused before it takes
 * memory.
 */
const MAX_SNAPPY_RATIO = 22

export interface Compressor {
  compress(bytes: Uint8Array): Uint8Array
  /** Throws if the bytes are not such a stream, or would inflate above `MAX_VALUE_BYTES`. */
  inflate(bytes: Uint8Array): Uint8Array
}

export type Compressors = Readonly<Record<Exclude<CompressionName, 'none'>, Compressor>>

/** All compressors: a value is read with the one that wrote it. */
export async function loadCompressors(): Promise<Compressors> {
  return { gzip, snappy: await loadSnappy() }
}

const gzip: Compressor = {
  compress: bytes => gzipSync(bytes, { level: 6 }),
  inflate: bytes => gunzipSync(bytes, { maxOutputLength: MAX_VALUE_BYTES }),
}

async function loadSnappy(): Promise<Compressor> {
  try {
    const { compressSync, uncompressSync } = await import('snappy')
    return {
      compress: bytes => compressSync(bytes as Buffer),
      inflate(bytes) {
        const length = readSnappyLength(bytes)
        if (length > Math.min(MAX_VALUE_BYTES, bytes.length * MAX_SNAPPY_RATIO))
          throw new CorruptValueError('A value would inflate too far.')
        return uncompressSync(bytes as Buffer, { asBuffer: true }) as Buffer
      },
    }
  } catch (cause) {
    // snappy may have no binary for this platform: an error only for callers that use it.
    const fail = (): never => {
      throw new MissingDependencyError('snappy', 'Snappy compression', cause)
    }
    return { compress: fail, inflate: fail }
  }
}

/** The varint at the start of a Snappy stream (format description, §1): its length after inflation. */
function readSnappyLength(bytes: Uint8Array): number {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i] ?? 0
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return length
  }
  return Number.POSITIVE_INFINITY
}
