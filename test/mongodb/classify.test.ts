import { expect, test } from 'vitest'
import type { Application } from '../../src/core/durable-backend.js'
import { classify, type Finding } from '../../src/mongodb/applications.js'
import { type HeadDocument, toFound } from '../../src/mongodb/documents.js'

const NOW_MS = Date.UTC(2026, 0, 1)
const HEAD: HeadDocument = {
  _id: 's/',
  session: 's',
  v: 5,
  fence: 20,
  updatedAt: new Date(NOW_MS),
  since: 1,
  ops: 'one 5 0',
}
const EXPIRED = { ...HEAD, endsAt: new Date(NOW_MS - 1) }
const PART = { ...HEAD, isPart: true as const }
const DELETED = { ...HEAD, session: undefined, v: 6, ops: 'end 6 0' }
const CLAIMED = { ...HEAD, session: undefined, v: 0, ops: '' }
const VACATED = { ...HEAD, session: undefined, ops: '' }
const BARRED = { ...HEAD, barredBelow: 20 }

const application = (version: number, members: Partial<Application> = {}): Application => ({
  version,
  fencingToken: undefined,
  operations: [{ id: 'other', version, updatedAtMs: 0 }],
  kind: 'fields',
  ...members,
})
const several = (first: number, last: number, idOfFirst = 'another') =>
  application(last, {
    operations: [
      { id: idOfFirst, version: first, updatedAtMs: 0 },
      { id: 'other', version: last, updatedAtMs: 0 },
    ],
  })
const SAME = { operations: [{ id: 'one', version: 5, updatedAtMs: 0 }] }
const SESSION = { kind: 'session' } as const
const WHOLE = { ...SESSION, fencingToken: 20, history: { incarnation: 'one', forks: '' } }
const DELETION = { kind: 'deletion' } as const

test.each<[string, HeadDocument | undefined, Application, Finding]>([
  ['fields of the next version', HEAD, application(6), 'new'],
  ['fields of a version beyond a gap', HEAD, application(9), 'new'],
  ['a session where none has ever been', undefined, application(1, SESSION), 'new'],
  ['fields where no session has ever been', undefined, application(3), 'new'],
  ['a session where one was only claimed', CLAIMED, application(1, SESSION), 'new'],
  ['a session after a deletion', DELETED, application(7, SESSION), 'new'],
  ['a deletion of the next version', HEAD, application(6, DELETION), 'new'],
  ['fields of a session that has expired', EXPIRED, application(6), 'new'],

  ['the whole of a session that has expired', EXPIRED, application(5, SESSION), 'revival'],
  ['the whole of a session that a claim has found expired', VACATED, application(5, WHOLE), 'revival'],
  ['the same by an earlier owner', VACATED, application(5, { ...WHOLE, fencingToken: 19 }), 'late'],
  ['a session that began where a claim has found one expired', VACATED, application(5, SESSION), 'late'],
  ['the whole of a deleted session', { ...DELETED, v: 5 }, application(5, WHOLE), 'late'],
  ['the whole of a partial session', PART, application(5, SESSION), 'revival'],
  ['the whole of a complete session', HEAD, application(5, SESSION), 'late'],
  ['fields of a partial session', PART, application(5), 'late'],

  ['the operation that wrote the version', HEAD, application(5, SAME), 'repeated'],
  ['a remembered operation after a later version', { ...HEAD, v: 9 }, application(5, SAME), 'repeated'],
  ['a known operation of a barred owner', BARRED, application(5, { ...SAME, fencingToken: 10 }), 'repeated'],

  ['the same version by another operation', HEAD, application(5), 'late'],
  ['an older version', HEAD, application(4), 'late'],
  ['an older deletion', HEAD, application(4, DELETION), 'late'],
  ['an older session', DELETED, application(4, SESSION), 'late'],

  ['several writes that begin at the version of another one', HEAD, several(5, 6), 'straddling'],
  ['several writes, the first of which is known', HEAD, several(5, 6, 'one'), 'new'],
  ['several late writes', HEAD, several(4, 5), 'late'],

  ['fields after a deletion, of a later version', DELETED, application(9), 'after the end'],
  ['fields after a deletion, of an older version', DELETED, application(4), 'after the end'],

  ['fields of a barred owner', BARRED, application(6, { fencingToken: 19 }), 'barred'],
  ['late fields of a barred owner', BARRED, application(4, { fencingToken: 19 }), 'barred'],
  ['a deletion of a barred owner', BARRED, application(6, { ...DELETION, fencingToken: 19 }), 'barred'],
  ['fields of the owner', BARRED, application(6, { fencingToken: 20 }), 'new'],
  ['fields without an owner', BARRED, application(6), 'new'],
])('classify decides on %s', (_what, document, given, finding) => {
  expect(classify(toFound(document, NOW_MS), given)).toBe(finding)
})
