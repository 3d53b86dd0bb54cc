import { type BinaryNode, getBinaryNodeChild } from '@whiskeysockets/baileys'

/** Builds a stanza; attributes that are undefined are left out, as the wire has no word for them. */
export function node(
  tag: string,
  attrs: Record<string, string | undefined> = {},
  content?: BinaryNode['content'],
): BinaryNode {
  const present = Object.entries(attrs).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const bare = { tag, attrs: Object.fromEntries(present) }
  return content === undefined ? bare : { ...bare, content }
}

export function children(parent: BinaryNode): BinaryNode[] {
  return Array.isArray(parent.content) ? parent.content : []
}

/** The bytes of a child that a client must have sent. */
export function bytesOf(parent: BinaryNode, tag: string): Buffer {
  const content = getBinaryNodeChild(parent, tag)?.content
  if (content instanceof Uint8Array) return Buffer.from(content)
  throw new Error(`expected <${parent.tag}> to have <${tag}> with bytes`)
}

export function attribute(stanza: BinaryNode, name: string): string {
  const value = stanza.attrs[name]
  if (value === undefined) throw new Error(`expected <${stanza.tag}> to have the attribute "${name}"`)
  return value
}

export function unixTime(): string {
  return Math.floor(Date.now() / 1000).toString()
}
