import type { MongoCollection } from './client.js'
import type { DocumentNames } from './document-names.js'
import type { HeadDocument } from './documents.js'
import { toHead } from './stored-documents.js'

/** Sends one command with its own deadline, which a frozen server requires. */
export type Send = <T>(command: (documents: MongoCollection) => Promise<T>) => Promise<T>

export async function readHead(send: Send, names: DocumentNames): Promise<HeadDocument | undefined> {
  const head = await readRawHead(send, names)
  return head && toHead(head, names.sessionId)
}

/** The stored head, unchecked. */
export async function readRawHead(send: Send, names: DocumentNames): Promise<object | undefined> {
  const [head] = await send(documents => documents.find({ _id: names.head }).toArray())
  return head as object | undefined
}
