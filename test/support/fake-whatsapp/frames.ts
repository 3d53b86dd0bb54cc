const LENGTH_BYTES = 3
const HEADER_BYTES = 4
const ROUTING_PREFIX_BYTES = 7

/**
 * Cuts a client's byte stream into frames.
 *
 *     [ 'E' 'D' 0 1 | length:3 | routing info ]?  'W' 'A' version dictionary  ( length:3 | frame )*
 *
 * The routing block is there once a server has sent an `edge_routing` stanza to the client.
 */
export class FrameReader {
  #buffer = Buffer.alloc(0)
  #header: Buffer | undefined

  /** The four bytes that open the stream; they are part of the handshake's transcript. */
  get header(): Buffer {
    if (!this.#header) throw new Error('expected the protocol header before the first frame')
    return this.#header
  }

  push(chunk: Buffer): Buffer[] {
    this.#buffer = Buffer.concat([this.#buffer, chunk])
    if (!this.#header) this.#readHeader()
    return this.#header ? this.#readFrames() : []
  }

  #readHeader(): void {
    const start = this.#headerOffset()
    if (start === undefined || this.#buffer.length < start + HEADER_BYTES) return
    this.#header = this.#buffer.subarray(start, start + HEADER_BYTES)
    this.#buffer = this.#buffer.subarray(start + HEADER_BYTES)
  }

  #headerOffset(): number | undefined {
    if (this.#buffer.length < HEADER_BYTES) return undefined
    if (this.#buffer.toString('latin1', 0, 2) !== 'ED') return 0
    if (this.#buffer.length < ROUTING_PREFIX_BYTES) return undefined
    return ROUTING_PREFIX_BYTES + this.#buffer.readUIntBE(4, LENGTH_BYTES)
  }

  #readFrames(): Buffer[] {
    const frames: Buffer[] = []
    while (this.#buffer.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.#buffer.readUIntBE(0, LENGTH_BYTES)
      if (this.#buffer.length < end) break
      frames.push(this.#buffer.subarray(LENGTH_BYTES, end))
      this.#buffer = this.#buffer.subarray(end)
    }
    return frames
  }
}

export function toFrame(payload: Uint8Array): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUIntBE(payload.length, 0, LENGTH_BYTES)
  return Buffer.concat([length, payload])
}
