import { setTimeout as sleep } from 'node:timers/promises'
import { CorruptValueError } from '../core/errors.js'
import { ONE_BATCH } from './client.js'
import type { DocumentNames } from './document-names.js'
import type { FieldDocument, HeadDocument } from './documents.js'
import type { GatheredFinds, NamedDocument } from './gathered-finds.js'
import { readHead, type Send } from './heads.js'
import { loadWrites } from './intents.js'
import { toField, toHead } from './stored-documents.js'

/** Of a find: one answer, and a session's head before its fields. */
export const IN_ORDER = { sort: { _id: 1 }, batchSize: ONE_BATCH } as const
/** Most readings that writes may overtake before the session counts as damaged. */
const MAX_READINGS = 50
const MAX_PAUSE_MS = 20

export interface SessionDocuments {
  head: HeadDocument | undefined
  /** Existing fields, by `_id`. Without a head: the remains of a partial restore. */
  fields: Map<string, FieldDocument>
  /** Deleted fields, and left-overs of an earlier life of the session. */
  gone: ReadonlyMap<string, FieldDocument>
}

export interface Reading {
  /** The names of the documents, including the head's; or the range of all. */
  ids: { $in: readonly string[] } | { $gte: string; $lt: string }
  projection?: Readonly<Record<string, 0 | 1>>
  /** If shards answer side by side, the head is read first, on its own. */
  isSharded: boolean
}

/**
 * Reads the head and the fields among `ids`, all of one version, without a transaction. Reads the head first. A newer
 * field shows that a write came between; then it reads what has changed since that head. The writes of an open intent
 * are laid over the fields, because they count as done.
 */
export async function readSession(
  send: Send,
  finds: GatheredFinds,
  names: DocumentNames,
  { ids, projection = {}, isSharded }: Reading,
): Promise<SessionDocuments> {
  const { sessionId } = names
  const fields = new Map<string, FieldDocument>()
  let since: number | undefined
  for (let readings = 0; readings < MAX_READINGS; readings++) {
    const first = isSharded ? await readHead(send, names) : undefined
    const found =
      since === undefined && '$in' in ids
        ? await finds.find(ids.$in)
        : await findInRange(send, names, { ids, projection, since })
    const isHead = (document: NamedDocument) => document._id === names.head
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
    since = isOvertaken ? head.v : undefined // a heal writes fields with earlier versions than its own
    await sleep(Math.random() * Math.min(readings, MAX_PAUSE_MS))
  }
  throw new CorruptValueError('The session has fields newer than its head, as after a partial restore.', {
    sessionId,
  })
}

/** Matches any version unless there is a `since`, so that damage is found. Parts of chains are no fields. */
async function findInRange(
  send: Send,
  names: DocumentNames,
  { ids, projection, since }: Pick<Reading, 'ids' | 'projection'> & { since: number | undefined },
): Promise<NamedDocument[]> {
  const filter =
    since === undefined ? { _id: ids, $nor: [{ _id: names.chains }] } : { _id: ids, v: { $gte: since } }
  const options = { ...(projection && { projection }), ...IN_ORDER }
  return (await send(documents => documents.find(filter, options).toArray())) as NamedDocument[]
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
