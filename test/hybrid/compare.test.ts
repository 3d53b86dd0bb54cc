import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Head } from '../../src/core/backend.js'
import type { Applied, DurableHead } from '../../src/core/durable-backend.js'
import {
  BYPASS_STEP,
  compare,
  covers,
  isBelievable,
  isForked,
  isOpenable,
  isTakenTwice,
  judge,
  knowsAll,
  missingIn,
  outranked,
  type RedisView,
  type Verdict,
  versionAbove,
} from '../../src/hybrid/session/compare.js'

type Durable = Pick<DurableHead, 'exists' | 'isPart' | 'version' | 'fence'>

const redis = (state: RedisView['state'], version = 0, fence = 0): RedisView => ({
  state,
  version,
  fence,
  updatedAtMs: 0,
  operation: '',
  lowestVersion: 1,
  remembered: new Set(),
  leaseMs: 0,
})
const session = (version: number, fence: number): Durable => ({ exists: true, version, fence })
const part = (version: number, fence: number): Durable => ({ ...session(version, fence), isPart: true })
const tombstone = (version: number, fence: number): Durable => ({ exists: false, version, fence })
const NEVER_SEEN = tombstone(0, 0)

/** Each rule of `compare`, and the cases next to its limits. */
const TABLE: [what: string, RedisView, Durable, Verdict][] = [
  ['the same session in both', redis('live', 5, 2), session(5, 2), 'in step'],
  ['no session in either', redis('vacant'), NEVER_SEEN, 'in step'],
  [
    'a claim of a session that nobody has written, in both',
    redis('vacant', 0, 2),
    tombstone(0, 2),
    'in step',
  ],
  ['a deletion in both', redis('deleted', 6, 3), tombstone(6, 3), 'in step'],
  [
    'a deletion whose tombstone the durable store has forgotten',
    redis('deleted', 6, 3),
    NEVER_SEEN,
    'in step',
  ],
  ['an end by the ttl in both', redis('expired', 5, 2), tombstone(5, 2), 'in step'],

  ['nothing in Redis, and none in the durable store', redis('cold'), NEVER_SEEN, 'load Redis'],
  ['nothing in Redis', redis('cold'), session(5, 2), 'load Redis'],
  ['what an eviction has left in Redis', redis('cold', 5, 2), session(5, 2), 'load Redis'],
  ['an older session in Redis', redis('live', 4, 2), session(5, 2), 'load Redis'],
  ['an older claim in Redis', redis('live', 5, 1), session(5, 2), 'load Redis'],
  ['a newer session by an older claim in Redis', redis('live', 6, 1), session(5, 2), 'load Redis'],
  ['a session in Redis that was deleted since', redis('live', 5, 2), tombstone(6, 3), 'load Redis'],
  ['a deletion in Redis before the session began again', redis('deleted', 5, 2), session(6, 3), 'load Redis'],
  ['a deletion by an older claim in Redis', redis('deleted', 6, 1), session(5, 2), 'load Redis'],
  ['a vacant head in Redis', redis('vacant', 0, 2), session(5, 2), 'load Redis'],
  ['an end by the ttl in Redis alone', redis('expired', 5, 2), session(5, 2), 'load Redis'],
  ['an older tombstone in Redis', redis('deleted', 5, 2), tombstone(6, 3), 'load Redis'],

  ['a newer session in Redis', redis('live', 6, 2), session(5, 2), 'restore the durable store'],
  [
    'a newer session by a newer claim in Redis',
    redis('live', 6, 3),
    session(5, 2),
    'restore the durable store',
  ],
  ['a session in Redis alone', redis('live', 5, 2), NEVER_SEEN, 'restore the durable store'],
  [
    'a session that has ended in the durable store',
    redis('live', 5, 2),
    tombstone(5, 2),
    'restore the durable store',
  ],
  ['a newer deletion in Redis', redis('deleted', 6, 3), session(5, 2), 'restore the durable store'],
  [
    'a newer deletion, by an owner before the one in the durable store',
    redis('deleted', 6, 3),
    session(5, 3),
    'load Redis',
  ],
  ['a newer deletion than the last one', redis('deleted', 6, 3), tombstone(5, 2), 'in step'],
  ['a part in the durable store', redis('live', 5, 2), part(5, 2), 'restore the durable store'],
  [
    'a part by a newer claim in the durable store',
    redis('live', 5, 1),
    part(5, 2),
    'restore the durable store',
  ],
  ['an older part in the durable store', redis('live', 6, 2), part(5, 2), 'restore the durable store'],

  ['leftovers in Redis of what the durable store never had', redis('cold', 5, 2), NEVER_SEEN, 'partial'],
  ['a part in the durable store, nothing in Redis', redis('cold'), part(5, 2), 'partial'],
  ['a newer part in the durable store', redis('live', 4, 2), part(5, 2), 'restore the durable store'],
  ['a part by a newer claim', redis('live', 6, 1), part(5, 2), 'restore the durable store'],

  ['a newer claim in Redis', redis('live', 5, 3), session(5, 2), 'raise the durable fence'],
]

test.each(TABLE)('compare decides on %s', (_what, inRedis, durable, verdict) => {
  expect(compare(inRedis, durable, false)).toBe(verdict)
})

test('the table has each verdict, and each state of Redis', () => {
  expect(new Set(TABLE.map(([, , , verdict]) => verdict)).size).toBe(5)
  expect(new Set(TABLE.map(([, { state }]) => state)).size).toBe(5)
})

test.each(TABLE)(
  'compare decides, after two histories have met, on %s',
  (_what, inRedis, durable, verdict) => {
    const isNewerEnd =
      inRedis.state === 'deleted' && verdict === 'in step' && inRedis.version > durable.version
    const isAsBefore = verdict === 'partial' || verdict === 'restore the durable store'
    const otherwise = isNewerEnd ? 'restore the durable store' : 'load Redis'
    expect(compare(inRedis, durable, true)).toBe(isAsBefore ? verdict : otherwise)
  },
)

const small = fc.nat(3)
const views = fc
  .tuple(fc.constantFrom('cold', 'live', 'vacant', 'deleted', 'expired'), small, small)
  .map(([state, version, fence]) => redis(state as RedisView['state'], version, fence))
const heads = fc
  .tuple(fc.constantFrom(session, part, tombstone), small, small)
  .map(([make, version, fence]) => make(version, fence))

/** The state of Redis after lua/install.lua. */
function load({ version, fence }: RedisView, durable: Durable): RedisView {
  const state = durable.exists ? 'live' : durable.version > 0 ? 'deleted' : 'vacant'
  return redis(state, Math.max(version, durable.version), Math.max(fence, durable.fence))
}

/** The durable store after `apply` of the whole session: writes by a lower token raise no fence. */
function restore({ state, version, fence }: RedisView, durable: Durable): Durable {
  const make = state === 'deleted' ? tombstone : session
  return make(Math.max(version, durable.version), Math.max(fence, durable.fence))
}

describe('compare, for any two states,', () => {
  test('brings them into step within four verdicts, or finds a partial session', () => {
    fc.assert(
      fc.property(views, heads, fc.boolean(), (view, head, isForked) => {
        let [inRedis, durable, mustReload] = [view, head, isForked]
        for (let rounds = 0; rounds < 4; rounds++) {
          const verdict = compare(inRedis, durable, mustReload)
          if (verdict === 'in step' || verdict === 'partial') return
          if (verdict === 'load Redis') [inRedis, mustReload] = [load(inRedis, durable), false]
          else if (verdict === 'restore the durable store') durable = restore(inRedis, durable)
          else durable = { ...durable, fence: inRedis.fence }
        }
        throw new Error('It goes on for ever.')
      }),
      { numRuns: 5000 },
    )
  })

  test('finds at most one of two sessions newer, whichever database holds it', () => {
    fc.assert(
      fc.property(small, small, small, small, (version, fence, otherVersion, otherFence) => {
        const here = compare(redis('live', version, fence), session(otherVersion, otherFence), false)
        const there = compare(redis('live', otherVersion, otherFence), session(version, fence), false)
        const [one, other] = [here, there].sort()
        expect(`${one}, ${other}`).not.toBe('restore the durable store, restore the durable store')
        if (here === 'in step') expect(there).toBe('in step')
      }),
    )
  })

  test('never restores the durable store from before a claim that it knows', () => {
    fc.assert(
      fc.property(views, heads, fc.boolean(), (view, head, mustReload) => {
        fc.pre(view.fence < head.fence && !head.isPart)
        expect(compare(view, head, mustReload)).not.toMatch('restore')
      }),
    )
  })
})

test.each([
  ['a session that the process has not seen', 600_000, 0, 0, true],
  ['a version that was seen only there', 600_000, 600_000, 0, true],
  ['the version that was seen in Redis', 10, 10, 10, true],
  ['a version that has grown since', 600_000, 10, 200_000, true],
  ['writes past Redis on top of the version that was seen', 10 + 3 * BYPASS_STEP, 10, 10, true],
  ['an older version than was seen', 9, 10, 0, false],
  ['an older version than was seen in Redis', 9, 9, 10, false],
  ['a write past Redis on an older version than was seen there', 9 + BYPASS_STEP, 9 + BYPASS_STEP, 10, false],
])(
  'covers decides whether the durable store is complete, with %s',
  (_what, version, seen, hot, doesCover) => {
    expect(covers(session(version, 1), seen, hot)).toBe(doesCover)
    expect(covers(tombstone(version, 1), seen, hot)).toBe(false)
    expect(covers(part(version, 1), seen, hot)).toBe(false)
  },
)

test.each([
  ['as new as what was seen', session(5, 2), true],
  ['newer', session(6, 3), true],
  ['older', session(4, 2), false],
  ['without the claim of this process', session(5, 1), false],
  ['that the session does not exist', tombstone(6, 3), false],
])('isBelievable decides on an answer of Redis: %s', (_what, head, isBelieved) => {
  expect(isBelievable(head, 5, 2)).toBe(isBelieved)
})

test.each([
  ['as new as what was seen', redis('live', 5), true],
  ['older', redis('live', 4), false],
  ['deleted', redis('deleted', 6), false],
  ['expired', redis('expired', 5), false],
  ['evicted', redis('cold', 5), false],
])('isOpenable decides whether Redis alone may open a session: %s', (_what, view, canOpen) => {
  expect(isOpenable(view, 5)).toBe(canOpen)
})

test.each([
  ['all of the session', redis('live', 5), 5, true],
  ['the end of the session', redis('deleted', 6), 5, true],
  ['less than the fields that were found', redis('live', 4), 5, false],
  ['a part of it', redis('cold', 5), 5, false],
])(
  'knowsAll decides whether Redis can replace a lost head of the durable store, with %s',
  (_what, view, highest, speaks) => {
    expect(knowsAll(view, highest)).toBe(speaks)
  },
)

test('isTakenTwice finds a version that was taken before, unless the write is a repeated one', () => {
  expect(isTakenTwice({ version: 6, isRepeated: false }, 5)).toBe(false)
  expect(isTakenTwice({ version: 5, isRepeated: false }, 5)).toBe(true)
  expect(isTakenTwice({ version: 5, isRepeated: true }, 5)).toBe(false)
})

describe('judge tells how the session in Redis follows from what was seen', () => {
  const own = { version: 3, operation: 'own' }
  const seen = { incarnation: 'one', version: 5, operation: 'seen', updatedAtMs: 0 }
  const known = { ...seen, exists: true, forks: [], own }
  const found = (version: number, ops: string | undefined, members: Partial<Head> = {}): Head => ({
    exists: true,
    version,
    fence: 0,
    updatedAtMs: 0,
    incarnation: 'one',
    operation: '',
    ops: ops?.replaceAll(',', '\n'),
    ...members,
  })

  test.each<[what: string, Head, verdict: ReturnType<typeof judge>]>([
    ['it has both operations', found(5, 'seen 5 0,own 3 0'), 'continues'],
    ['it has both below later ones', found(6, 'next 6 0,seen 5 0,own 3 0,a 1 0'), 'continues'],
    ['it remembers only later ones', found(9, 'c 9 0,b 8 0,a 6 0'), 'continues'],
    ['it has the one that was seen, and has forgotten the own one', found(5, 'seen 5 0,a 4 0'), 'continues'],
    ['it lacks the one that was seen', found(6, 'b 6 0,a 5 0,own 3 0'), 'diverged'],
    ['it lacks the own one', found(6, 'b 6 0,seen 5 0,a 3 0'), 'diverged'],
    ['another one took the version that was seen', found(5, 'other 5 0,own 3 0,a 1 0'), 'diverged'],
    ['it is behind', found(4, 'a 4 0,b 3 0'), 'continues'],
    ['it has been deleted', found(6, 'b 6 0,a 5 0', { exists: false }), 'continues'],
    ['it is of another incarnation', found(6, 'a 6 0', { incarnation: 'two' }), 'other'],
    ['its operations were not read', found(6, undefined), 'continues'],
  ])('%s', (_what, head, verdict) => {
    expect(judge(known, head)).toBe(verdict)
  })
})

describe('missingIn names the operation of the durable version that Redis may lack', () => {
  const durable = (ops: string) => ({ ...session(7, 1), updatedAtMs: 0, incarnation: '', operation: '', ops })
  const both = durable('late 7 0\nfirst 7 0\nbefore 6 0')

  test.each<[what: string, view: Partial<RedisView>, head: DurableHead, missing: string | undefined]>([
    ['it wrote the version of Redis', { operation: 'first' }, both, undefined],
    ['Redis remembers it', { operation: 'late', remembered: new Set(['first']) }, both, undefined],
    ['another one wrote the version of Redis', { operation: 'late' }, both, 'first'],
    ['the durable store does not remember it', { operation: 'other' }, durable('before 6 0'), undefined],
    ['Redis has no session', { state: 'vacant' }, both, undefined],
  ])('%s', (_what, view, head, missing) => {
    expect(missingIn({ ...redis('live', 7, 1), ...view }, head)).toBe(missing)
  })
})

describe('outranked judges a write of another history than the durable store has', () => {
  const write = {
    kind: 'fields',
    operationId: 'late',
    version: 5,
    updatedAtMs: 50,
    fencingToken: undefined,
  } as const
  const past = 7 + BYPASS_STEP
  const belongs = { version: 7, ops: 'last 7 40', missing: ['late'] }
  const withPast = (ops: string) => ({ version: past, ops: `past ${past} 30\n${ops}` })
  const has = (...ids: string[]) => new Set(['late', ...ids])
  const view = { ...redis('live', 5, 1), lowestVersion: 1, remembered: has() }
  const raised = (id: string, updatedAtMs: number) => ({ version: past, ops: `${id} ${past} ${updatedAtMs}` })

  type Case = [
    what: string,
    Partial<Parameters<typeof outranked>[0]>,
    Partial<typeof belongs>,
    Partial<RedisView>,
    string | undefined,
  ]
  test.each<Case>([
    ['Redis took it after the last one, and has lost that', {}, {}, {}, 'last'],
    ['Redis took it before', { updatedAtMs: 30 }, {}, {}, undefined],
    ['Redis took both in one millisecond', { updatedAtMs: 40 }, {}, {}, undefined],
    ['Redis has both', {}, {}, { remembered: has('last') }, undefined],
    ['Redis may have forgotten the last one', {}, {}, { lowestVersion: 8 }, undefined],
    ['Redis has lost the session', {}, {}, { state: 'cold' }, undefined],
    ['the last one is unknown', {}, { ops: '' }, {}, undefined],
    ['the last one was written past Redis', {}, withPast(''), {}, undefined],
    ['Redis has lost one before that', {}, withPast('last 7 40'), {}, 'last'],
    ['Redis has lost several before that', {}, withPast('last 7 40\nearlier 5 20'), {}, 'last'],
    ['Redis has lost one of a lower version before that', {}, withPast('last 4 40'), {}, 'last'],
    ['Redis took it before one that it has lost before that', {}, withPast('last 7 60'), {}, undefined],
    ['Redis has lost none before that', {}, withPast('last 7 40'), { remembered: has('last') }, undefined],
    ['one was raised before that', {}, withPast(`above.4.a ${past - 1} 49\nlast 7 40`), {}, 'above.4.a'],
    ['one was raised below that', {}, withPast('above.4.a 9 49\nlast 7 40'), {}, 'above.4.a'],
    [
      'one was raised long before',
      {},
      { version: 7, ops: 'next 7 60\nabove.2.a 4 20' },
      { remembered: has('next') },
      undefined,
    ],
    [
      'Redis took another one after it',
      {},
      withPast('next 6 60\nlast 7 40'),
      { remembered: has('next') },
      undefined,
    ],
    [
      'another one that Redis took after it is the last one',
      {},
      { ops: 'next 7 60\nlast 5 40' },
      { remembered: has('next') },
      undefined,
    ],
    ['it is among them', {}, withPast('late 5 50\nlast 5 40'), {}, 'last'],
    ['the last one was raised, and came before it', {}, raised('above.4.a', 49), {}, 'above.4.a'],
    [
      'the last one was raised, and came in its millisecond, before it',
      {},
      raised('above.4.a', 50),
      {},
      'above.4.a',
    ],
    [
      'the last one was raised, and came in its millisecond, after it',
      {},
      raised('above.6.a', 50),
      {},
      undefined,
    ],
    [
      'Redis has lost the session, after one was raised that came before it',
      {},
      raised('above.4.a', 49),
      { state: 'cold' },
      'above.4.a',
    ],
    ['one that came after it was raised since', {}, raised('above.9.a', 60), {}, undefined],
    ['the durable store may have had it before', {}, { missing: ['other'] }, {}, undefined],
    ['it is a deletion', { kind: 'deletion' }, {}, {}, undefined],
    ['it begins the session', { kind: 'session' }, {}, {}, undefined],
  ])('%s', (_what, late, applied, inRedis, expected) => {
    const rival = outranked({ ...write, ...late }, { ...belongs, ...applied }, { ...view, ...inRedis })
    expect(rival?.id).toBe(expected)
  })
})

describe('versionAbove gives a write its place above a history', () => {
  const past = 7 + BYPASS_STEP
  test.each<[what: string, id: string, version: number, durable: number, expected: number]>([
    ['that is the last one', 'last', 7, 7, past],
    ['that was raised last', 'above.4.a', past, past, past + BYPASS_STEP],
    ['below what was written past Redis', 'last', 7, past, 7 + BYPASS_STEP / 4],
    ['that was raised before what was written past Redis', 'above.4.a', past - 1, past, past],
    ['of lower versions, below what was written past Redis', 'last', 3, past, 5 + BYPASS_STEP / 4],
    ['that was raised below what was written past Redis', 'above.4.a', 9, past, 10],
  ])('%s', (_what, id, version, durable, expected) => {
    expect(versionAbove({ id, version }, { version: 5 }, durable)).toBe(expected)
  })
})

describe('isForked judges a late write in the durable store', () => {
  const newest = { id: 'last', version: 7, updatedAtMs: 0 }
  const late = (members: Partial<Applied> = {}): Applied => ({
    version: 7,
    fence: 1,
    isBarred: false,
    mustSplit: false,
    isLate: true,
    missing: [],
    isPart: false,
    newest,
    ops: 'last 7 0',
    ...members,
  })

  type View = { remembered: string[] } & Partial<Omit<RedisView, 'remembered'>>
  test.each<[what: string, Applied, View, forked: boolean]>([
    ['Redis remembers both operations', late(), { remembered: ['last', 'late'], version: 7 }, false],
    ['Redis does not remember the newest operation', late(), { remembered: ['late'], version: 6 }, true],
    ['Redis does not remember the late operation', late(), { remembered: ['last'], version: 7 }, true],
    [
      'Redis remembers only later operations',
      late(),
      { remembered: [], version: 23, lowestVersion: 8 },
      false,
    ],
    [
      'Redis remembers another operation of that version, though its own version is far above',
      late(),
      { remembered: [], version: 2 ** 20, lowestVersion: 7 },
      true,
    ],
    ['Redis has lost the session', late(), { remembered: [], state: 'cold', lowestVersion: Infinity }, true],
    [
      'the newest operation is unknown, and Redis is behind',
      late({ newest: undefined }),
      { remembered: ['late'], version: 6 },
      true,
    ],
    [
      'the newest operation is unknown, and Redis is not behind',
      late({ newest: undefined }),
      { remembered: ['late'], version: 7 },
      false,
    ],
  ])('%s', (_what, applied, { remembered, ...members }, forked) => {
    const view = { ...redis('live'), ...members, remembered: new Set(remembered) }
    expect(isForked(applied, [{ id: 'late', version: 7 }], view)).toBe(forked)
  })
})
