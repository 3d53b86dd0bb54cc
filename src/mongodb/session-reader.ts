import { setTimeout as sleep } from 'node:timers/promises'
import { CorruptValueError } from '../core/errors.js'
import type { MongoCollection } from './client.js'
import type { DocumentNames } from './document-names.js'
import type { FieldDocument, HeadDocument } from './documents.js'
import { loadWrites } from './intents.js'

/** Sends one command, with the deadline of its own that a frozen server asks for. */
export type Send = <T>(command: (documents: MongoCollection) => Promise<T>) => Promise<T>

/** Readings that a write has overtaken, before the session is taken to be damaged. */
const MAX_READINGS = 50
const MAX_PAUSE_MS = 20

export interface SessionDocuments {
  head: HeadDocument | undefined
  /** Fields that exist, by `_id`. Without a head: what a partial restore has left. */
  fields: Map<string, FieldDocument>
}

/**
 * The head and the fields among `ids`, all of one version, without a transaction. A field that is newer than the head
 * tells of a write that came between: then what has changed since that head is read once more. What an intent still
 * has to do is laid over, since it counts as done. The head must be among `ids`.
 */
export async function readSession(
  send: Send,
  names: DocumentNames,
  ids: { $in: readonly string[] } | { $gte: string; $lt: string },
  projection: Readonly<Record<string, 0 | 1>> = {},
): Promise<SessionDocuments> {
  const fields = new Map<string, FieldDocument>()
  let since = 0 // parts of chains have no version: they are left out
  for (let readings = 0; readings < MAX_READINGS; readings++) {
    const found = (await send(documents =>
      documents.find({ _id: ids, v: { $gte: since } }, { projection }).toArray(),
    )) as (HeadDocument | FieldDocument)[]
    const head = found.find(document => document._id === names.head) as HeadDocument | undefined
    const changed = found.filter(document => document !== head) as FieldDocument[]
    if (head === undefined && since > 0) {
      fields.clear() // the database went back in time
      since = 0
      continue
    }
    for (const field of changed) fields.set(field._id, field)
    if (head === undefined) return { head, fields: existing(fields, 0) }
    const isOvertaken = changed.some(field => field.v > head.v)
    const writes = isOvertaken ? undefined : await loadWrites(send, names, head.intent)
    if (writes !== undefined) {
      for (const { at, data } of writes) overlay(fields, names.ofSuffix(at), head.v, data)
      return { head, fields: existing(fields, head.since) }
    }
    since = head.v
    await sleep(Math.random() * Math.min(readings, MAX_PAUSE_MS))
  }
  throw new CorruptValueError(
    'The session has fields that are newer than its head, as after a partial restore.',
    {
      sessionId: names.sessionId,
    },
  )
}

function overlay(fields: Map<string, FieldDocument>, _id: string, v: number, data: Buffer | undefined): void {
  if ((fields.get(_id)?.v ?? 0) >= v) return
  fields.set(_id, data === undefined ? { _id, v, gone: true } : { _id, v, data })
}

function existing(fields: Map<string, FieldDocument>, since: number): Map<string, FieldDocument> {
  for (const [name, { v, gone }] of fields) if (gone || v < since) fields.delete(name)
  return fields
}
