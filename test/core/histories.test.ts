import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Head } from '../../src/core/backend.js'
import {
  compareHistories,
  continuesFrom,
  formatForks,
  nextHistory,
  noteFork,
  parseForks,
} from '../../src/core/store/histories.js'

const found = (head: Partial<Head>): Head => ({
  exists: true,
  version: 10,
  fence: 0,
  updatedAtMs: 0,
  incarnation: 'one',
  operation: '',
  ...head,
})
const known = { incarnation: 'one', version: 10, operation: 'op10', updatedAtMs: 0, exists: true, forks: [] }

describe('a history found in the database', () => {
  test.each<[string, Partial<Head>, string, object]>([
    ['the same version of the same operation', { operation: 'op10' }, '', { kind: 'continues' }],
    ['the same version of another operation', { operation: 'other' }, '', { kind: 'diverged' }],
    ['a version before', { version: 7 }, '', { kind: 'rewound', at: 7 }],
    [
      'a later version that remembers the known one',
      { version: 12, operation: 'op12', ops: 'op12 12 1\nop11 11 1\nop10 10 1' },
      '',
      { kind: 'continues' },
    ],
    [
      'a later version that does not remember the known one',
      { version: 12, operation: 'op12', ops: 'op12 12 1\nother 11 1\nother 10 1' },
      '',
      { kind: 'diverged' },
    ],
    [
      'a version so late that it has forgotten the known one',
      { version: 26, operation: 'op26', ops: 'op26 26 1' },
      '',
      { kind: 'continues' },
    ],
    [
      'a deletion',
      { exists: false, version: 11, operation: 'gone', ops: 'gone 11 1' },
      '',
      { kind: 'continues' },
    ],
    [
      'another incarnation that forked from this one',
      { incarnation: 'two' },
      'one 4 11',
      { kind: 'forked', at: 4, to: 11 },
    ],
    [
      'another incarnation that continues from all of this one',
      { incarnation: 'two' },
      'one 10 11',
      { kind: 'continues' },
    ],
    [
      'another incarnation that did not fork from this one',
      { incarnation: 'two' },
      '',
      { kind: 'unrelated' },
    ],
    ['nothing', { exists: false, version: 0, incarnation: '' }, '', { kind: 'rewound', at: 0 }],
    [
      'an older session that has ended',
      { exists: false, version: 3, incarnation: 'zero' },
      '',
      { kind: 'rewound', at: 3 },
    ],
  ])('with %s', (_, head, forks, verdict) => {
    expect(compareHistories(known, found(head), parseForks(forks))).toEqual(verdict)
  })

  test('of an ancestor is a rewind to the version where the two parted', () => {
    const healed = { ...known, incarnation: 'two', forks: parseForks('one 4 11') }
    expect(compareHistories(healed, found({ version: 6 }), [])).toEqual({ kind: 'rewound', at: 4 })
  })

  test('that continues the known one by its head alone also continues it with the forks', () => {
    const name = fc.constantFrom('', 'one', 'two')
    const operation = fc.constantFrom('', 'a', 'b')
    const version = fc.nat(40)
    const ops = fc.option(fc.constantFrom('a 3 1', 'b 9 1\na 8 1'), { nil: undefined })
    const own = fc.option(fc.record({ version, operation: fc.constantFrom('a', 'c') }), { nil: undefined })
    const head = fc.record({ exists: fc.boolean(), version, incarnation: name, operation, ops })
    fc.assert(
      fc.property(fc.record({ incarnation: name, version, operation, own }), head, (seen, one) => {
        const answer = found(one)
        if (!continuesFrom(seen, answer)) return
        expect(compareHistories({ ...seen, updatedAtMs: 0, exists: true, forks: [] }, answer, [])).toEqual({
          kind: 'continues',
        })
      }),
    )
  })
})

describe('forks', () => {
  test('come back as they were noted, the last eight, latest first', () => {
    const numbers = Array.from({ length: 12 }, (_, n) => n)
    const noted = numbers.reduce((forks, n) => noteFork(forks, { from: `i${n}`, at: n, to: n + 1 }), '')
    const forks = parseForks(noted)
    expect(forks.map(({ from }) => from)).toEqual(['i11', 'i10', 'i9', 'i8', 'i7', 'i6', 'i5', 'i4'])
    expect(formatForks(forks)).toBe(noted)
  })

  test.each([
    ['begins', { begins: true }, { incarnation: 'op', forks: 'one 4 5' }],
    ['goes on', { begins: false }, { incarnation: 'one', forks: '' }],
    ['is healed', { begins: false, fork: { from: 'two', at: 2 } }, { incarnation: 'op', forks: 'two 2 5' }],
  ])('of a session that %s', (_, step, expected) => {
    const whole = { operationId: 'op', fork: undefined, before: 4, version: 5, ...step }
    expect(nextHistory({ incarnation: 'one', forks: '' }, whole)).toEqual(expected)
  })
})
