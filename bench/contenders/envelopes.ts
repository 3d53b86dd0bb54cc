import { type Codec, createCodec } from '../../src/core/codec/codec.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'
import { CREDS } from '../values.js'

/** What this library stores without encryption, encoded once: the raw contenders carry the same bytes and make none. */
export class Envelopes {
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
