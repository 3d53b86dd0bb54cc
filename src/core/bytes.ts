/** The same memory as a Buffer, which is what drivers and Node's own functions want. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * A copy, where holding a view would keep alive what is around it: Node's small Buffers are parts of blocks of 8 KB.
 */
export function toOwnBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
