import { describe, expect, test } from 'vitest'
import type { Head } from '../../src/core/backend.js'
import { type HealSituation, planHeal } from '../../src/core/store/heal-plan.js'
import { parseForks } from '../../src/core/store/histories.js'

const KNOWN = { incarnation: 'one', version: 10, operation: 'op10', updatedAtMs: 0, exists: true, forks: [] }
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
const DELETION = { version: 10, operation: 'op10', fence: 3, deletedAtMs: 0, copy: 'leave' } as const
const DELETED = { known: { ...KNOWN, exists: false }, held: [], deletion: DELETION }

/** `found`: the head, the forks, and the versions of the fields a, b and c and of the creds. */
type Given = Partial<HealSituation> & {
  head?: Partial<Head>
  forks?: string
  versions?: readonly (number | undefined)[]
  isDeleted?: boolean
}

function plan({ head, forks = '', versions = [5, 2, 0, 1], isDeleted = false, ...given }: Given = {}) {
  const found = { head: { ...HEAD, ...head }, isDeleted, forks: parseForks(forks), versions }
  const situation = { known: KNOWN, found, held: HELD, deletion: undefined, fence: 0, ...given }
  const { at, heal } = planHeal({ foundVersion: found.head.version, ...situation })
  const written = heal?.writes.map(({ id, version }) => `${id} ${version ?? 'new'}`)
  return { at, heal: heal && { writes: written, fork: heal.fork, deletes: heal.deletion !== undefined } }
}

const NOTHING = { at: undefined, heal: undefined }
const ANOTHER = { incarnation: 'two', version: 12 }

describe('the plan of a process that finds another history heals a session', () => {
  test.each<[string, Given, object]>([
    ['continues from the known one: with nothing', { head: { version: 10, operation: 'op10' } }, NOTHING],
    [
      'is behind: with the missing writes, as a new incarnation',
      {},
      { at: 6, heal: { writes: ['b 8', 'c 10'], fork: { from: 'one', at: 6 }, deletes: false } },
    ],
    [
      'is behind, when no missing write is held: by a new version alone',
      { held: [], versions: [1] },
      { at: 6, heal: { writes: [], fork: { from: 'one', at: 6 }, deletes: false } },
    ],
    [
      'is gone: with all held writes',
      { head: { exists: false, version: 0, incarnation: '' }, versions: [0, 0, 0, 0] },
      { at: 0, heal: { writes: ['a 5', 'b 8', 'c 10'], fork: { from: 'one', at: 0 }, deletes: false } },
    ],
    [
      'is behind, and was deleted there by another process: with nothing',
      { head: { exists: false, operation: 'other' }, versions: [0, 0, 0, 0], isDeleted: true },
      { at: 6, heal: undefined },
    ],
    [
      'is behind, and has expired: with the missing writes',
      { head: { exists: false, operation: 'op6' }, versions: [5, 2, 0, 1] },
      { at: 6, heal: { writes: ['b 8', 'c 10'], fork: { from: 'one', at: 6 }, deletes: false } },
    ],
    [
      'has gone back to before it began, as another one that had been deleted: with all held writes',
      {
        head: { exists: false, version: 4, incarnation: 'zero', ops: 'end 4 1' },
        held: [write('of the deleted one', 2), ...HELD],
        versions: [0, 0, 0, 0, 0],
        isDeleted: true,
      },
      { at: 4, heal: { writes: ['a 5', 'b 8', 'c 10'], fork: { from: 'one', at: 4 }, deletes: false } },
    ],
    [
      'was lost, and then deleted by a process that knew nothing of it: with nothing',
      {
        known: { ...KNOWN, updatedAtMs: 50 },
        head: {
          exists: false,
          version: 1,
          incarnation: '',
          operation: 'end',
          ops: 'end 1 60',
          updatedAtMs: 60,
        },
        versions: [0, 0, 0, 0],
        isDeleted: true,
      },
      { at: 1, heal: undefined },
    ],
    [
      'has gone back to an earlier one, which was deleted then: with nothing',
      {
        known: { ...KNOWN, forks: parseForks('zero 4 5'), updatedAtMs: 50 },
        head: { exists: false, version: 3, incarnation: 'zero', ops: 'end 3 60', updatedAtMs: 60 },
        versions: [0, 0, 0, 0],
        isDeleted: true,
      },
      { at: 3, heal: undefined },
    ],
    [
      'has gone back to an earlier one, whose deletion was repeated: with all held writes',
      {
        known: { ...KNOWN, forks: parseForks('zero 4 5'), updatedAtMs: 50 },
        head: { exists: false, version: 11, incarnation: 'zero', ops: 'end 11 40', updatedAtMs: 40 },
        versions: [0, 0, 0, 0],
        isDeleted: true,
      },
      { at: 4, heal: { writes: ['a 5', 'b 8', 'c 10'], fork: { from: 'one', at: 4 }, deletes: false } },
    ],
    [
      'has gone back to an earlier one that it knows nothing of, whose deletion was repeated: with all held writes',
      {
        known: { ...KNOWN, updatedAtMs: 50 },
        head: { exists: false, version: 11, incarnation: 'zero', ops: 'end 11 40', updatedAtMs: 40 },
        versions: [0, 0, 0, 0],
        isDeleted: true,
      },
      { at: 0, heal: { writes: ['a 5', 'b 8', 'c 10'], fork: { from: 'one', at: 0 }, deletes: false } },
    ],
    [
      'was healed by another process: with the writes that it lacks, in its incarnation',
      { head: ANOTHER, forks: 'one 6 11', versions: [5, 2, 12, 1] },
      { at: 6, heal: { writes: ['b 8'], fork: undefined, deletes: false } },
    ],
    [
      'was healed by another process that has rewritten all of it: with nothing',
      { head: ANOTHER, forks: 'one 6 11', versions: [5, 8, 12, 1] },
      { at: 6, heal: undefined },
    ],
    [
      'was healed by a former owner: even over the writes of that owner',
      { head: ANOTHER, forks: 'one 6 11', versions: [5, 8, 12, 1], fence: 4 },
      { at: 6, heal: { writes: ['c new'], fork: undefined, deletes: false } },
    ],
    [
      'was healed and then deleted by another process: with nothing',
      { head: { ...ANOTHER, exists: false }, forks: 'one 6 11', versions: [0, 0, 0, 0] },
      { at: 6, heal: undefined },
    ],
    [
      'has the known version by another operation: with the writes that it lacks',
      {
        head: { version: 10, operation: 'other', ops: 'other 10 1\nop9 9 1\nop8 8 1\nop5 5 1' },
        versions: [5, 8, 0, 1],
      },
      { at: 9, heal: { writes: ['c 10'], fork: undefined, deletes: false } },
    ],
    [
      'was written far above the known version, without a write that the known one has: with that write',
      {
        head: { version: 2 ** 20, operation: 'other', ops: 'other 1048576 1\nop8 8 1\nop5 5 1' },
        versions: [5, 8, 0, 1],
      },
      { at: 9, heal: { writes: ['c 10'], fork: undefined, deletes: false } },
    ],
    [
      'is another session of the same name: with nothing',
      { head: ANOTHER, versions: [0, 0, 12, 12] },
      { at: 12, heal: undefined },
    ],
  ])('that %s', (_, given, expected) => {
    expect(plan(given)).toEqual(expected)
  })
})

describe('the plan of a process that has deleted the session, for a session', () => {
  const deletes = (at: number, writes: string[] = []) => ({
    at,
    heal: { writes, fork: undefined, deletes: true },
  })

  test.each<[string, Given, object]>([
    ['is back from before the deletion: delete it', DELETED, deletes(6)],
    [
      'is back from before the deletion, and was begun anew by the process: delete it, then write',
      { known: { ...KNOWN, version: 11 }, held: [write('d', 11)], deletion: DELETION, versions: [0, 1] },
      deletes(6, ['d new']),
    ],
    [
      'was deleted again, and lacks the writes after that: write them',
      {
        known: { ...KNOWN, incarnation: 'two', version: 11, forks: parseForks('one 10 11') },
        head: { exists: false, version: 12, operation: 'again', ops: 'again 12 1' },
        held: [write('d', 11)],
        deletion: { ...DELETION, version: 12, operation: 'again', fence: 4 },
        versions: [0, 0],
      },
      { at: 10, heal: { writes: ['d 11'], fork: { from: 'two', at: 10 }, deletes: false } },
    ],
    [
      'was deleted by another process, and is another session for this one: do nothing',
      {
        known: { ...KNOWN, incarnation: 'two', version: 11, forks: parseForks('one 10 11') },
        head: { exists: false, version: 12, operation: 'other', ops: 'other 12 1' },
        held: [write('d', 11)],
        deletion: DELETION,
        versions: [0, 0],
        isDeleted: true,
      },
      { at: 10, heal: undefined },
    ],
    [
      'no longer has the tombstone: leave another one, which is no rewind',
      { ...DELETED, head: { exists: false, version: 0, incarnation: '' } },
      { ...deletes(0), at: undefined },
    ],
    [
      'has the tombstone of another process instead: do nothing',
      { ...DELETED, head: { exists: false, version: 1, incarnation: '' }, isDeleted: true },
      NOTHING,
    ],
    [
      'no longer has the tombstone that another process left: do nothing',
      {
        known: { ...KNOWN, exists: false },
        head: { exists: false, version: 0, incarnation: '' },
        versions: [0, 0, 0, 0],
      },
      NOTHING,
    ],
    [
      'was healed by another process: delete it',
      { ...DELETED, head: ANOTHER, forks: 'one 6 11', versions: [1] },
      deletes(6),
    ],
    [
      'was begun anew by another process: do nothing',
      { ...DELETED, head: ANOTHER, forks: 'one 6 11', versions: [11] },
      { at: 6, heal: undefined },
    ],
    [
      'was healed so long ago that the origin of its creds is unknown: do nothing',
      { ...DELETED, head: ANOTHER, forks: 'one 6 11', versions: [undefined] },
      { at: 6, heal: undefined },
    ],
    [
      'was written to by a process that has not noticed the rewind: delete it',
      {
        ...DELETED,
        head: { version: 10, operation: 'other', ops: 'other 10 1\nop9 9 1' },
        versions: [undefined],
      },
      deletes(9),
    ],
    [
      'was begun anew after the tombstone: do nothing',
      { ...DELETED, head: ANOTHER, forks: 'one 10 11', versions: [11] },
      NOTHING,
    ],
  ])('that %s', (_, given, expected) => {
    expect(plan(given)).toEqual(expected)
  })
})
