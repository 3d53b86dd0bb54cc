/** The same memory as a Buffer, which drivers and Node's own functions expect. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * A copy if `bytes` is a view. A view would keep its surroundings alive: Node cuts small Buffers from blocks of 8 KB.
 */
export function toOwnBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
