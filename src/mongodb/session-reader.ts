import { setTimeout as sleep } from 'node:timers/promises'
import { CorruptValueError } from '../core/errors.js'
import { ONE_BATCH } from './client.js'
import type { DocumentNames } from './document-names.js'
import type { FieldDocument, HeadDocument } from './documents.js'
import { readHead, type Send } from './heads.js'
import { loadWrites } from './intents.js'
import { toField, toHead } from './stored-documents.js'

/** Readings that a write has overtaken, before the session is taken to be damaged. */
const MAX_READINGS = 50
const MAX_PAUSE_MS = 20

export interface SessionDocuments {
  head: HeadDocument | undefined
  /** Fields that exist, by `_id`. Without a head: what a partial restore has left. */
  fields: Map<string, FieldDocument>
  /** Fields that have been deleted, and left-overs of an earlier life of the session. */
  gone: ReadonlyMap<string, FieldDocument>
}

export interface Reading {
  /** Of the documents; the head's must be among them. */
  ids: { $in: readonly string[] } | { $gte: string; $lt: string }
  projection?: Readonly<Record<string, 0 | 1>>
  /** Where shards answer side by side, the head is asked for by itself. */
  isSharded: boolean
}

/**
 * The head and the fields among `ids`, all of one version, without a transaction. The head is read first; a field that
 * is newer tells of a write that came between: then what has changed since that head is read once more. What an intent
 * still has to do is laid over, since it counts as done.
 */
export async function readSession(
  send: Send,
  names: DocumentNames,
  { ids, projection = {}, isSharded }: Reading,
): Promise<SessionDocuments> {
  const { sessionId } = names
  const fields = new Map<string, FieldDocument>()
  let since: number | undefined
  for (let readings = 0; readings < MAX_READINGS; readings++) {
    const first = isSharded ? await readHead(send, names) : undefined
    // Without a version, so that damage is not passed over; parts of chains are no fields.
    const filter =
      since === undefined ? { _id: ids, $nor: [{ _id: names.chains }] } : { _id: ids, v: { $gte: since } }
    const found = (await send(documents =>
      documents.find(filter, { projection, sort: { _id: 1 }, batchSize: ONE_BATCH }).toArray(),
    )) as { _id: string }[]
    const isHead = (document: { _id: string }) => document._id === names.head
    const own = found.find(isHead)
    const head = first ?? (own && toHead(own, sessionId))
    const hasData = projection.data !== 0
    const changed = found.filter(one => !isHead(one)).map(field => toField(field, sessionId, hasData))
    if (head === undefined && since !== undefined) {
      fields.clear() // the database went back in time
      since = undefined
      continue
    }
    for (const field of changed) fields.set(field._id, field)
    if (head === undefined) return toDocuments(head, fields)
    const isOvertaken = changed.some(field => field.v > head.v)
    const writes = isOvertaken ? undefined : await loadWrites(send, names, head.intent)
    if (writes !== undefined) {
      for (const { at, data, v = head.intent?.v ?? 0 } of writes) overlay(fields, names.ofSuffix(at), v, data)
      return toDocuments(head, fields)
    }
    since = isOvertaken ? head.v : undefined // a heal writes fields of earlier versions than its own
    await sleep(Math.random() * Math.min(readings, MAX_PAUSE_MS))
  }
  throw new CorruptValueError('The session has fields newer than its head, as after a partial restore.', {
    sessionId,
  })
}

function overlay(fields: Map<string, FieldDocument>, _id: string, v: number, data: Buffer | undefined): void {
  if ((fields.get(_id)?.v ?? 0) >= v) return
  fields.set(_id, data === undefined ? { _id, v, gone: true } : { _id, v, data })
}

function toDocuments(head: HeadDocument | undefined, fields: Map<string, FieldDocument>): SessionDocuments {
  const gone = new Map<string, FieldDocument>()
  for (const [name, field] of fields) {
    if (!field.gone && field.v >= (head?.since ?? 0)) continue
    fields.delete(name)
    gone.set(name, field)
  }
  return { head, fields, gone }
}
