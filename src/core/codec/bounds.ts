import { MAX_PARTS } from './max-parts.js'

/**
 * Limits on what stored bytes may cost a process. Before parsing, these functions count levels and parts: 60 KB of gzip
 * can stand for 64 MiB of empty lists, which take gigabytes as objects. They throw `SyntaxError`.
 */

/** Most levels of a value that can be written, with a tag around each. */
const MAX_LEVELS = 512

/** Checks these limits only; `JSON.parse` checks the rest. */
export function checkJson(bytes: Buffer): void {
  if (bytes.length <= 2 * MAX_LEVELS) return // too short to be deep or long
  let parts = 0
  let level = 0
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case 0x22: // "
        at = findEndOfText(bytes, at + 1)
        break
      case 0x5b: // [
      case 0x7b: // {
        if (++level > MAX_LEVELS) throw new SyntaxError('It is nested too deep.')
        parts++
        break
      case 0x5d: // ]
      case 0x7d: // }
        level--
        break
      case 0x2c: // ,
        parts++
        break
    }
    if (parts > MAX_PARTS) throw new SyntaxError('It has too many parts.')
  }
}

function findEndOfText(bytes: Buffer, from: number): number {
  let at = from
  while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1
  return at
}

const PROTO = Buffer.from('__proto__')

/** What follows a type byte of MessagePack: a length of SIZES bytes, or for FIXED the value itself. */
const TEXT = 1
const BINARY = 2
const LIST = 3
const MAP = 4
const FIXED = 5
/** By type, from 0xc0 on. A type without a kind is an extension, or unused. */
const KINDS = new Uint8Array(32)
const SIZES = new Uint8Array(32)
for (const [type, kind, size] of [
  ...[0xc0, 0xc2, 0xc3].map(type => [type, FIXED, 0]), // nil and booleans
  ...[0xcc, 0xd0].map(type => [type, FIXED, 1]), // numbers
  ...[0xcd, 0xd1].map(type => [type, FIXED, 2]),
  ...[0xca, 0xce, 0xd2].map(type => [type, FIXED, 4]),
  ...[0xcb, 0xcf, 0xd3].map(type => [type, FIXED, 8]),
  ...[1, 2, 4].map((size, i) => [0xc4 + i, BINARY, size]),
  ...[1, 2, 4].map((size, i) => [0xd9 + i, TEXT, size]),
  ...[2, 4].map((size, i) => [0xdc + i, LIST, size]),
  ...[2, 4].map((size, i) => [0xde + i, MAP, size]),
] as [number, number, number][]) {
  KINDS[type - 0xc0] = kind
  SIZES[type - 0xc0] = size
}

/**
 * Checks the whole MessagePack: core types only. msgpackr gives extensions a meaning, and the library never writes
 * them.
 */
export function checkMessagePack(bytes: Buffer): void {
  const { length } = bytes
  let at = 0
  let parts = 0
  /** The missing elements of each open list. For a map, the missing names and values together, as a negative number. */
  const open = [1]
  for (let top = 0; top >= 0; ) {
    const left = open[top] as number
    if (left === 0) {
      top--
      continue
    }
    if (++parts > 2 * MAX_PARTS) throw new SyntaxError('It has too many parts.')
    if (at >= length) throw new SyntaxError('It is cut off.')
    open[top] = left > 0 ? left - 1 : left + 1
    const isName = left < 0 && (left & 1) === 0
    const type = bytes[at++] as number
    let kind = FIXED
    let size = 0
    if (type >= 0xc0 && type < 0xe0) {
      kind = KINDS[type - 0xc0] as number
      size = SIZES[type - 0xc0] as number
      if (kind === 0) throw new SyntaxError('It is of a type that is not written.')
      if (kind !== FIXED) {
        if (at + size > length) throw new SyntaxError('It is cut off.')
        const from = at
        at += size
        size = 0
        for (let i = from; i < at; i++) size = size * 256 + (bytes[i] as number)
      }
    } else if (type >= 0xa0 && type < 0xc0) {
      kind = TEXT
      size = type & 0x1f
    } else if (type >= 0x80 && type < 0xa0) {
      kind = type < 0x90 ? MAP : LIST
      size = type & 0xf
    }
    if (isName && kind !== TEXT) throw new SyntaxError('A name is no text.')
    if (size > length - at) throw new SyntaxError('It is cut off.')
    if (kind === LIST || kind === MAP) {
      if (top + 1 >= MAX_LEVELS) throw new SyntaxError('It is nested too deep.')
      open[++top] = kind === LIST ? size : -2 * size
      continue
    }
    at += size
    if (isName && size === PROTO.length && bytes.subarray(at - size, at).equals(PROTO)) {
      throw new SyntaxError('A name is "__proto__".')
    }
  }
  if (at < length) throw new SyntaxError('There is something after it.')
}
