import { toBuffer } from '../../src/core/bytes.js'
import { type Codec, createCodec } from '../../src/core/codec/codec.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'
import { CREDS } from '../values.js'

/** How a contender on the bare driver makes bytes of values, and values of bytes. */
export interface Bytes {
  readonly name: 'raw' | 'json'
  readonly creds: Buffer
  of(value: object): Buffer
  /** Default: the bytes stay as they are. */
  parse?(bytes: Uint8Array): unknown
}

/** What this library stores without encryption, encoded once: the raw contenders carry the same bytes and make none. */
export class Envelopes implements Bytes {
  readonly name = 'raw'
  readonly creds: Buffer
  readonly #codec: Codec
  readonly #known = new WeakMap<object, Buffer>()

  private constructor(codec: Codec) {
    this.#codec = codec
    this.creds = this.of(CREDS)
  }

  static async create(): Promise<Envelopes> {
    return new Envelopes(await createCodec(toCodecOptions({})))
  }

  of(value: object): Buffer {
    const known = this.#known.get(value)
    if (known !== undefined) return known
    const bytes = Buffer.from(this.#codec.encode({ sessionId: 's', type: 'session', id: '1' }, value))
    this.#known.set(value, bytes)
    return bytes
  }
}

/** The floor: what no store that keeps values can do without. Buffers become arrays of numbers, which nobody reads. */
export const JSON_BYTES: Bytes = {
  name: 'json',
  get creds() {
    return this.of(CREDS)
  },
  of: value => Buffer.from(JSON.stringify(value)),
  parse: bytes => JSON.parse(toBuffer(bytes).toString()),
}

/** The values of an answer, without those that are not there. */
export function parseAll(
  { parse }: Bytes,
  found: readonly (Uint8Array | null | undefined)[],
): readonly unknown[] {
  if (parse === undefined) return found
  return found.map(bytes => (bytes ? parse(bytes) : undefined))
}
