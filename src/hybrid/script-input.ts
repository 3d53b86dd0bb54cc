import { CREDS_FIELD, type FieldWrite } from '../core/backend.js'
import { toBuffer } from '../core/bytes.js'
import type { WholeSession } from '../core/durable-backend.js'
import { InvalidValueError, ValueTooLargeError } from '../core/errors.js'
import { sortOperations } from '../core/store/operation-ids.js'
import { fieldName } from '../redis/key-names.js'
import { type EntryInput, orEmpty, TOMBSTONE_MS } from '../redis/script-input.js'
import type { Argument } from '../redis/scripts.js'
import type { PassedOver } from './outbox/outbox.js'
import { isVersion, MAX_ENTRY_BYTES, type OutboxEntry } from './outbox/outbox-entry.js'
import { MAX_ENTRY_FIELDS } from './outbox/sealed-patch.js'
import type { RedisView } from './session/compare.js'

/** Bytes of an entry reserved for the members that the script and later marks add. */
const MAX_HEAD_BYTES = 64 * 1024

/** A write with too many values could not be read back from the outbox, so it is refused. */
export function checkCount(sessionId: string, { length }: readonly FieldWrite[]): void {
  if (length <= MAX_ENTRY_FIELDS) return
  const reason = `A write of ${length} values is above the limit of ${MAX_ENTRY_FIELDS}; nothing was written. Divide it.`
  throw new InvalidValueError(reason, { sessionId })
}

/** What the scripts make an outbox entry of. Throws `VALUE_TOO_LARGE`. */
export function toEntryInput(
  maxEntries: number,
  sessionId: string,
  members: Partial<OutboxEntry>,
): EntryInput {
  const rest = JSON.stringify({ sessionId, ...members, status: 'pending', attempts: 0 })
  const bytes = Buffer.byteLength(rest)
  const limit = MAX_ENTRY_BYTES - MAX_HEAD_BYTES
  if (bytes > limit) throw new ValueTooLargeError(bytes, limit, { sessionId })
  return [maxEntries, JSON.stringify(sessionId).slice(0, -1), rest.slice(1)]
}

/** The arguments of lua/install.lua. `found`: what was seen in Redis. */
export function toInstallInput(
  found: RedisView,
  session: WholeSession,
  graceMs: number,
  passedOver: PassedOver,
): Argument[] {
  const { head, fields, ops, forks, endsAtMs, isVacant } = session
  const creds = fields.find(field => field.type === CREDS_FIELD.type)
  const ofKeys = fields.filter(field => field !== creds)
  return [
    `${found.state === 'cold' ? 'cold' : ''}${found.version}`,
    head.version,
    head.fence,
    head.updatedAtMs,
    orEmpty(endsAtMs),
    graceMs,
    ops === '' ? '' : `${sortOperations(ops)}\n`,
    TOMBSTONE_MS,
    isVacant ? 'vacant' : 'session',
    creds === undefined ? '' : toBuffer(creds.bytes),
    [...passedOver].flatMap(([name, digest]) => (isVersion(name) ? [`${name} ${digest}`] : [])).join(),
    head.incarnation,
    forks,
    ...ofKeys.flatMap(field => [fieldName(field), toBuffer(field.bytes)]),
  ]
}
