import type { BackendClaim, Head, StoredField } from '../core/store.js'
import { parseFieldName } from './key-names.js'
import type { Reply } from './scripts.js'

/** What lua/read.lua returns. */
type ReadReply = [
  1,
  exists: number,
  version: number,
  fence: number,
  updatedAt: number,
  creds: Buffer | null,
  fields: (Buffer | null)[] | null,
]

function toHead([, exists, version, fence, updatedAtMs]: ReadReply): Head {
  return { exists: exists === 1, version, fence, updatedAtMs }
}

/** Of lua/claim.lua. */
export function toClaim(reply: Reply): BackendClaim {
  const [, fencingToken, exists, version, updatedAtMs, creds] = reply as [
    1,
    number,
    number,
    number,
    number,
    Buffer | null,
  ]
  const head = { exists: exists === 1, version, fence: fencingToken, updatedAtMs }
  return { fencingToken, head, creds: creds ?? undefined }
}

export function toValues(reply: Reply) {
  const read = reply as ReadReply
  return { head: toHead(read), creds: read[5] ?? undefined, values: read[6] ?? [] }
}

/** Without `fields`: there are more than may be read at once. */
export function toSnapshot(reply: Reply) {
  const read = reply as ReadReply
  const fields = read[6] === null ? undefined : [...toFields(read[6] as Buffer[]).values()]
  return { head: toHead(read), creds: read[5] ?? undefined, fields } as const
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
