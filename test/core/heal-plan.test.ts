import { describe, expect, test } from 'vitest'
import type { Head } from '../../src/core/backend.js'
import { type HealSituation, planHeal } from '../../src/core/store/heal-plan.js'
import { parseForks } from '../../src/core/store/histories.js'

const KNOWN = { incarnation: 'one', version: 10, operation: 'op10', exists: true, forks: [] }
const HEAD: Head = {
  exists: true,
  version: 6,
  fence: 0,
  updatedAtMs: 0,
  incarnation: 'one',
  operation: '',
}
const write = (id: string, version: number) => {
  return { version, operation: `op${version}`, write: { type: 'session', id, bytes: Buffer.from(id) } }
}
const HELD = [write('a', 5), write('b', 8), write('c', 10)]
const DELETION = { version: 10, operation: 'op10', fence: 3 }
const DELETED = { known: { ...KNOWN, exists: false }, held: [], deletion: DELETION }

/** `found`: the head, the forks, and the versions of the fields a, b and c and of the creds. */
type Given = Partial<HealSituation> & {
  head?: Partial<Head>
  forks?: string
  versions?: readonly (number | undefined)[]
}

function plan({ head, forks = '', versions = [5, 2, 0, 1], ...given }: Given = {}) {
  const found = { head: { ...HEAD, ...head }, forks: parseForks(forks), versions }
  const situation = { known: KNOWN, found, held: HELD, deletion: undefined, fence: 0, ...given }
  const { at, heal } = planHeal({ foundVersion: found.head.version, ...situation })
  const written = heal?.writes.map(({ id, version }) => `${id} ${version ?? 'new'}`)
  return { at, heal: heal && { writes: written, fork: heal.fork, deletes: heal.deletion !== undefined } }
}

const NOTHING = { at: undefined, heal: undefined }
const ANOTHER = { incarnation: 'two', version: 12 }

describe('the plan of who finds another history', () => {
  test.each<[string, Given, object]>([
    ['goes on from the known one: nothing', { head: { version: 10, operation: 'op10' } }, NOTHING],
    [
      'is behind: what is missing, as a new incarnation',
      {},
      { at: 6, heal: { writes: ['b 8', 'c 10'], fork: { from: 'one', at: 6 }, deletes: false } },
    ],
    [
      'is behind, and nothing is held of what is missing: it is brought forward',
      { held: [], versions: [1] },
      { at: 6, heal: { writes: [], fork: { from: 'one', at: 6 }, deletes: false } },
    ],
    [
      'is gone: all that is held',
      { head: { exists: false, version: 0, incarnation: '' }, versions: [0, 0, 0, 0] },
      { at: 0, heal: { writes: ['a 5', 'b 8', 'c 10'], fork: { from: 'one', at: 0 }, deletes: false } },
    ],
    [
      'was healed by another process: what it does not have, into its incarnation',
      { head: ANOTHER, forks: 'one 6 11', versions: [5, 2, 12, 1] },
      { at: 6, heal: { writes: ['b 8'], fork: undefined, deletes: false } },
    ],
    [
      'was healed by another process that has written all of it again: nothing',
      { head: ANOTHER, forks: 'one 6 11', versions: [5, 8, 12, 1] },
      { at: 6, heal: undefined },
    ],
    [
      'was healed by a former owner: over what it has written as well',
      { head: ANOTHER, forks: 'one 6 11', versions: [5, 8, 12, 1], fence: 4 },
      { at: 6, heal: { writes: ['c new'], fork: undefined, deletes: false } },
    ],
    [
      'was healed and then deleted by another process: nothing',
      { head: { ...ANOTHER, exists: false }, forks: 'one 6 11', versions: [0, 0, 0, 0] },
      { at: 6, heal: undefined },
    ],
    [
      'has the known version of another operation: what it lacks',
      {
        head: { version: 10, operation: 'other', ops: 'other 10 1\nop9 9 1\nop8 8 1\nop5 5 1' },
        versions: [5, 8, 0, 1],
      },
      { at: 9, heal: { writes: ['c 10'], fork: undefined, deletes: false } },
    ],
    [
      'is another session of the same name: nothing',
      { head: ANOTHER, versions: [0, 0, 12, 12] },
      { at: 12, heal: undefined },
    ],
  ])('that %s', (_, given, expected) => {
    expect(plan(given)).toEqual(expected)
  })
})

describe('the plan of who has deleted the session', () => {
  const deletes = (at: number, writes: string[] = []) => ({
    at,
    heal: { writes, fork: undefined, deletes: true },
  })

  test.each<[string, Given, object]>([
    ['has it again, from before: it is deleted', DELETED, deletes(6)],
    [
      'has it again, from before, and the process has begun it anew: it is deleted, and written',
      { known: { ...KNOWN, version: 11 }, held: [write('d', 11)], deletion: DELETION, versions: [0, 1] },
      deletes(6, ['d new']),
    ],
    [
      'was deleted again, and what came after was not yet written: it is written',
      {
        known: { ...KNOWN, incarnation: 'two', version: 11, forks: parseForks('one 10 11') },
        head: { exists: false, version: 12, operation: 'again', ops: 'again 12 1' },
        held: [write('d', 11)],
        deletion: { version: 12, operation: 'again', fence: 4 },
        versions: [0, 0],
      },
      { at: 10, heal: { writes: ['d 11'], fork: { from: 'two', at: 10 }, deletes: false } },
    ],
    [
      'was deleted by another process, and is another session for this one: nothing',
      {
        known: { ...KNOWN, incarnation: 'two', version: 11, forks: parseForks('one 10 11') },
        head: { exists: false, version: 12, operation: 'other', ops: 'other 12 1' },
        held: [write('d', 11)],
        deletion: DELETION,
        versions: [0, 0],
      },
      { at: 9, heal: undefined },
    ],
    [
      'no longer has the tombstone: nothing',
      { ...DELETED, head: { exists: false, version: 0, incarnation: '' } },
      NOTHING,
    ],
    [
      'no longer has the tombstone of a session that another process has deleted: nothing',
      {
        known: { ...KNOWN, exists: false },
        head: { exists: false, version: 0, incarnation: '' },
        versions: [0, 0, 0, 0],
      },
      NOTHING,
    ],
    [
      'was healed by another process: it is deleted',
      { ...DELETED, head: ANOTHER, forks: 'one 6 11', versions: [1] },
      deletes(6),
    ],
    [
      'was begun anew by another process: nothing',
      { ...DELETED, head: ANOTHER, forks: 'one 6 11', versions: [11] },
      { at: 6, heal: undefined },
    ],
    [
      'has been healed so long ago that nobody knows whose creds it has: nothing',
      { ...DELETED, head: ANOTHER, forks: 'one 6 11', versions: [undefined] },
      { at: 6, heal: undefined },
    ],
    [
      'has been written to since by who has not noticed: it is deleted',
      {
        ...DELETED,
        head: { version: 10, operation: 'other', ops: 'other 10 1\nop9 9 1' },
        versions: [undefined],
      },
      deletes(9),
    ],
    [
      'was begun anew after the tombstone: nothing is missing',
      { ...DELETED, head: ANOTHER, forks: 'one 10 11', versions: [11] },
      NOTHING,
    ],
  ])('that %s', (_, given, expected) => {
    expect(plan(given)).toEqual(expected)
  })
})
