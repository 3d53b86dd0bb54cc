import { randomBytes } from 'node:crypto'
import type { FieldWrite } from '../core/backend.js'
import { toBuffer } from '../core/bytes.js'
import { ValueTooLargeError } from '../core/errors.js'
import { MAX_GIVEN_COUNT } from '../core/store/arguments.js'
import type { UpdateOne } from './client.js'
import { type DocumentNames, toSuffix } from './document-names.js'
import type { ChainDocument, ChainIntent, HeadDocument, Intent, IntentWrite } from './documents.js'
import { readRawHead, type Send } from './heads.js'
import { duplicatesOf, ForeignIndexError, indexesOf } from './mongo-errors.js'
import { NO_LIST, toChain } from './stored-documents.js'

/** A document may have 16 MiB; this leaves room for names, the head and BSON's own bytes. */
const MAX_DATA_BYTES = 16 * 1024 * 1024 - 16 * 1024
/** Larger intents are stored in documents of their own, because every reader of the session gets the head. */
export const MAX_INLINE_BYTES = 1024 * 1024
const MAX_PART_BYTES = 12 * 1024 * 1024
const WRITE_OVERHEAD_BYTES = 64
/** FerretDB takes at most 25,000 operations at once. */
const MAX_BULK = 10_000
/** A deleted field is remembered longer than any write of an earlier version can be under way. */
const GONE_MS = 24 * 60 * 60 * 1000
/** An older chain that is no intent's belongs to a writer that died before its compare-and-set. */
const ORPHAN_MS = 24 * 60 * 60 * 1000

/** Sorted by `_id`: concurrent bulks that lock documents in different orders would deadlock on PostgreSQL. */
export function toIntentWrites(names: DocumentNames, writes: readonly FieldWrite[]): IntentWrite[] {
  const sorted = writes.map(write => {
    const { bytes } = write
    if (bytes !== null && bytes.length > MAX_DATA_BYTES) {
      throw new ValueTooLargeError(bytes.length, MAX_DATA_BYTES, { sessionId: names.sessionId })
    }
    names.of(write) // throws if the name is too long
    const at = toSuffix(write)
    const v = write.version === undefined ? {} : { v: write.version }
    return bytes === null ? { at, ...v } : { at, data: toBuffer(bytes), ...v }
  })
  return sorted.sort((a, b) => (a.at < b.at ? -1 : 1))
}

/** Returns the intent for the head. Stores a large one beforehand, under names that no reader looks up yet. */
export async function storeIntent(
  send: Send,
  names: DocumentNames,
  v: number,
  writes: IntentWrite[],
  keptUntil: Date | undefined,
  nowMs: number,
): Promise<Intent> {
  if (sizeOf(writes) <= MAX_INLINE_BYTES) return { v, writes }
  const chain = randomBytes(12).toString('hex')
  const parts = toParts(writes)
  for (const [part, partWrites] of parts.entries()) {
    const document: ChainDocument = {
      _id: names.chain(chain, part),
      writes: partWrites,
      createdAt: new Date(nowMs),
      ...(keptUntil && { expiresAt: keptUntil }),
    }
    await send(documents => documents.insertOne(document))
  }
  return { v, chain, parts: parts.length }
}

/** The writes of an intent; `undefined` if its chain is gone, because another process has completed it. */
export async function loadWrites(
  send: Send,
  names: DocumentNames,
  intent: Intent | undefined,
): Promise<IntentWrite[] | undefined> {
  if (intent === undefined || 'purge' in intent) return []
  if ('writes' in intent) return intent.writes
  const ids = { _id: { $in: chainOf(names, intent) } }
  const parts = (await send(documents => documents.find(ids, { sort: { _id: 1 } }).toArray())) as object[]
  return parts.length === intent.parts ? toChain(parts, names.sessionId) : undefined
}

/** Carries out the head's intent and removes it from the head. `false`: another process has done so meanwhile. */
export async function completeIntent(
  send: Send,
  names: DocumentNames,
  head: HeadDocument,
  nowMs: number,
): Promise<boolean> {
  const { intent } = head
  if (intent !== undefined && 'purge' in intent) {
    const later = { v: { $gt: intent.v, $lt: MAX_GIVEN_COUNT, ...NO_LIST } }
    // A young chain may belong to a write whose head is still to come.
    const kept = [later, { _id: names.chains, createdAt: { $gte: new Date(nowMs - ORPHAN_MS) } }]
    // removes damaged documents as well
    await send(documents => documents.deleteMany({ _id: names.belowHead, $nor: kept }))
    await clear(send, head)
    return true
  }
  const writes = await loadWrites(send, names, intent)
  return writes !== undefined && (await applyIntent(send, names, head, writes, nowMs))
}

/**
 * Applies the writes of the head's intent; without an intent, does nothing. `false`: the head is gone, e.g. because the
 * collection was dropped. The fields are then removed again, since no reader could tell them from half a session.
 */
export async function applyIntent(
  send: Send,
  names: DocumentNames,
  head: HeadDocument,
  writes: readonly IntentWrite[],
  nowMs: number,
): Promise<boolean> {
  const { intent, keptUntil } = head
  if (intent === undefined) return true
  const goneAt = new Date(nowMs + GONE_MS)
  const updates = writes.map(write => toUpdate(names, write.v ?? intent.v, write, keptUntil, goneAt))
  let isCleared: boolean
  try {
    // In order, and the intent last: once it is gone from the head, all fields are there.
    let missed = updates.length + 1
    for (const bulk of toBulks([...updates, clearing(head)])) {
      const { matchedCount, upsertedCount } = await send(documents =>
        documents.bulkWrite(bulk, { ordered: true }),
      )
      missed -= matchedCount + upsertedCount
    }
    isCleared = missed === 0
  } catch (error) {
    if (duplicatesOf(error) === undefined) throw error
    await applyAmongOthers(send, head, names.sessionId, updates)
    isCleared = await clear(send, head)
  }
  if ('chain' in intent) await dropChains(send, names, intent, nowMs)
  if (isCleared || (await readRawHead(send, names)) !== undefined) return true
  await withdraw(send, updates)
  return false
}

/** Removes what these updates have written, and nothing else. */
async function withdraw(send: Send, updates: readonly UpdateOne[]): Promise<void> {
  const byVersion = new Map<unknown, unknown[]>()
  for (const { filter, update } of updates) {
    const v = update.$set?.v
    const ids = byVersion.get(v)
    if (ids) ids.push(filter._id)
    else byVersion.set(v, [filter._id])
  }
  for (const [v, ids] of byVersion) await send(documents => documents.deleteMany({ _id: { $in: ids }, v }))
}

export async function dropChain(send: Send, names: DocumentNames, intent: Intent): Promise<void> {
  if (!('chain' in intent)) return
  await send(documents => documents.deleteMany({ _id: { $in: chainOf(names, intent) } }))
}

/** Removes the chain of an intent that is carried out, and those that dead writers have left. */
async function dropChains(
  send: Send,
  names: DocumentNames,
  intent: ChainIntent,
  nowMs: number,
): Promise<void> {
  const own = { _id: { $in: chainOf(names, intent) } }
  const left = { createdAt: { $lt: new Date(nowMs - ORPHAN_MS) } }
  await send(documents => documents.deleteMany({ _id: names.chains, $or: [own, left] }))
}

/**
 * Applies the updates while another process applies the same intent, or has applied a later one. An upsert then meets a
 * document that is not older (E11000). Sent again without `upsert`, the update matches, or the document is newer; both
 * are right. Neither is so if a foreign unique index has refused the document.
 */
async function applyAmongOthers(
  send: Send,
  head: HeadDocument,
  sessionId: string,
  updates: readonly UpdateOne[],
): Promise<void> {
  for (const bulk of toBulks(updates)) {
    try {
      await send(documents => documents.bulkWrite(bulk, { ordered: false }))
    } catch (error) {
      const met = duplicatesOf(error)
      if (met === undefined) throw error
      const indexes = indexesOf(error)
      const foreign = indexes.find(index => index !== undefined && index !== '_id_')
      if (foreign !== undefined) throw new ForeignIndexError(foreign, { sessionId })
      const again = met.map(index => (bulk[index] as { updateOne: UpdateOne }).updateOne)
      await send(documents =>
        documents.bulkWrite(
          again.map(update => ({ updateOne: { ...update, upsert: false } })),
          { ordered: false },
        ),
      )
      // By the index of `_id`, the document was there and newer, even if a deletion has removed it since.
      const isTold = indexes.every(index => index !== undefined)
      if (isTold || (await areThere(send, again)) || (await isPast(send, head))) continue
      throw new ForeignIndexError(undefined, { sessionId })
    }
  }
}

/** Whether the head has changed since: the intent was completed, and a deletion may have removed its fields. */
async function isPast(send: Send, { _id, v, ops }: HeadDocument): Promise<boolean> {
  const [found] = (await send(documents => documents.find({ _id }).toArray())) as HeadDocument[]
  return found?.v !== v || found.ops !== ops || found.intent === undefined
}

/** Whether each document has its update's version, or a later one. */
async function areThere(send: Send, updates: readonly UpdateOne[]): Promise<boolean> {
  const ids = updates.map(({ filter }) => filter._id)
  const found = (await send(documents =>
    documents.find({ _id: { $in: ids } }, { projection: { v: 1 } }).toArray(),
  )) as { _id: string; v: number }[]
  const versions = new Map(found.map(({ _id, v }) => [_id, v]))
  return updates.every(({ filter, update }) => {
    return (versions.get(filter._id as string) ?? -1) >= (update.$set?.v as number)
  })
}

function toUpdate(
  names: DocumentNames,
  v: number,
  { at, data }: IntentWrite,
  keptUntil: Date | undefined,
  goneAt: Date,
): UpdateOne {
  const filter = { _id: names.ofSuffix(at), v: { $lt: v } }
  if (data === undefined) {
    return {
      filter,
      upsert: true,
      update: { $set: { v, gone: true, expiresAt: goneAt }, $unset: { data: '' } },
    }
  }
  const expires = keptUntil === undefined ? { expiresAt: '' } : {}
  const $set = { v, data, ...(keptUntil && { expiresAt: keptUntil }) }
  return { filter, upsert: true, update: { $set, $unset: { gone: '', ...expires } } }
}

/** For this head only: another process may have completed the intent, and a later write may have put its own there. */
function clearing({ _id, v, ops, incarnation, late }: HeadDocument): UpdateOne {
  return {
    filter: { _id, v, ops, incarnation: incarnation ?? null, late: late ?? null },
    update: { $unset: { intent: '' } },
  }
}

/** `false`: the head is another one, or is gone. */
async function clear(send: Send, head: HeadDocument): Promise<boolean> {
  const { filter, update } = clearing(head)
  return (await send(documents => documents.updateOne(filter, update))).matchedCount === 1
}

function* toBulks(updates: readonly UpdateOne[]): Generator<{ updateOne: UpdateOne }[]> {
  for (let from = 0; from < updates.length; from += MAX_BULK) {
    yield updates.slice(from, from + MAX_BULK).map(updateOne => ({ updateOne }))
  }
}

function toParts(writes: readonly IntentWrite[]): IntentWrite[][] {
  const parts: IntentWrite[][] = [[]]
  let bytes = 0
  for (const write of writes) {
    const size = sizeOf([write])
    if (bytes > 0 && bytes + size > MAX_PART_BYTES) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)?.push(write)
    bytes += size
  }
  return parts
}

export function sizeOf(writes: readonly IntentWrite[]): number {
  return writes.reduce(
    (sum, { at, data }) => sum + 3 * at.length + (data?.length ?? 0) + WRITE_OVERHEAD_BYTES,
    0,
  )
}

function chainOf(names: DocumentNames, { chain, parts }: ChainIntent): string[] {
  return Array.from({ length: parts }, (_, part) => names.chain(chain, part))
}
