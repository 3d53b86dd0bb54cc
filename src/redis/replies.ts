import { parseForks } from '../core/histories.js'
import { lastOperation } from '../core/operation-ids.js'
import type { BackendClaim, Head, HistoryResult, StoredField } from '../core/store.js'
import { parseFieldName } from './key-names.js'
import type { Reply } from './scripts.js'

/** What lua/read.lua returns. */
type ReadReply = [
  1,
  exists: number,
  version: number,
  fence: number,
  updatedAt: number,
  incarnation: Buffer,
  ops: Buffer,
  creds: Buffer | null,
  fields: (Buffer | null)[] | null,
]

/** What lua/history.lua returns. */
type HistoryReply = [
  1,
  exists: number,
  version: number,
  fence: number,
  updatedAt: number,
  incarnation: Buffer,
  ops: Buffer,
  forks: Buffer,
  journal: Buffer,
  isThere: number[],
]

type HeadReply = [
  1,
  exists: number,
  version: number,
  fence: number,
  updatedAt: number,
  incarnation: Buffer,
  ops: Buffer,
  ...unknown[],
]

function toHead([, exists, version, fence, updatedAtMs, incarnation, remembered]: HeadReply): Head {
  const ops = String(remembered)
  const history = { incarnation: String(incarnation), operation: lastOperation(ops), ops }
  return { exists: exists === 1, version, fence, updatedAtMs, ...history }
}

/** Of lua/history.lua. `names`: those of the fields that were asked for. */
export function toHistory(reply: Reply, names: readonly string[]): HistoryResult {
  const found = reply as HistoryReply
  const [, , , , , , , forks, journal, isThere] = found
  const text = String(journal)
  const isKnown = text !== '' && !text.endsWith('*')
  const [, ...parts] = text.split('\0')
  const written = new Map<string, number>()
  for (let i = 0; i + 1 < parts.length; i += 2) written.set(parts[i] as string, Number(parts[i + 1]))
  const versionOf = (name: string, i: number) => {
    if (isKnown) return written.get(name) ?? 0
    return isThere[i] === 1 ? undefined : 0
  }
  return { head: toHead(found), forks: parseForks(String(forks)), versions: names.map(versionOf) }
}

/** Of lua/claim.lua. */
export function toClaim(reply: Reply): BackendClaim {
  const [, fencingToken, exists, version, updatedAtMs, incarnation, ops, creds] = reply as [
    1,
    number,
    number,
    number,
    number,
    Buffer,
    Buffer,
    Buffer | null,
  ]
  const head = toHead([1, exists, version, fencingToken, updatedAtMs, incarnation, ops])
  return { fencingToken, head, creds: creds ?? undefined }
}

export function toValues(reply: Reply) {
  const read = reply as ReadReply
  return { head: toHead(read), creds: read[7] ?? undefined, values: read[8] ?? [] }
}

/** Without `fields`: there are more than may be read at once. */
export function toSnapshot(reply: Reply) {
  const read = reply as ReadReply
  const fields = read[8] === null ? undefined : [...toFields(read[8] as Buffer[]).values()]
  return { head: toHead(read), creds: read[7] ?? undefined, fields } as const
}

/** Names and values in turn → fields by name. */
export function toFields(elements: readonly Buffer[]): Map<string, StoredField> {
  const fields = new Map<string, StoredField>()
  for (let i = 0; i + 1 < elements.length; i += 2) {
    const name = String(elements[i])
    const field = parseFieldName(name)
    if (field !== undefined) fields.set(name, { ...field, bytes: elements[i + 1] as Buffer })
  }
  return fields
}
