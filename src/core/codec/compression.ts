import { gunzipSync, gzipSync } from 'node:zlib'
import { MAX_VALUE_BYTES } from '../backend.js'
import { CorruptValueError, MissingDependencyError } from '../errors.js'
import type { CompressionName } from './envelope.js'

/** Smaller values gain less than they cost. */
export const COMPRESS_ABOVE_BYTES = 512

/** Three bytes of a Snappy stream give 64 at the most: what says more lies, before it takes the memory. */
const MAX_SNAPPY_RATIO = 22

export interface Compressor {
  compress(bytes: Uint8Array): Uint8Array
  /** Throws when the bytes are no such stream, or would inflate above `MAX_VALUE_BYTES`. */
  inflate(bytes: Uint8Array): Uint8Array
}

export type Compressors = Readonly<Record<Exclude<CompressionName, 'none'>, Compressor>>

/** All of them, since a value is read with what it was written with. */
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
    // Its binary may not exist for this platform: an error only for who uses it.
    const fail = (): never => {
      throw new MissingDependencyError('snappy', 'Snappy compression', cause)
    }
    return { compress: fail, inflate: fail }
  }
}

/** The varint in front of a Snappy stream (format description, §1): the length it will inflate to. */
function readSnappyLength(bytes: Uint8Array): number {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i] ?? 0
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return length
  }
  return Number.POSITIVE_INFINITY
}
