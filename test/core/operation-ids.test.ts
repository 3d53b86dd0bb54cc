import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  findOperation,
  hasLost,
  isForgotten,
  lastOperation,
  MAX_REMEMBERED,
  noteOperation,
  operationAt,
  operationsAfter,
  overtakerOf,
  sortOperations,
} from '../../src/core/store/operation-ids.js'

/** The operations as remembered after they came in this order. */
const remember = (...operations: [id: string, version: number][]) =>
  operations.reduce(
    (known, [id, version]) => noteOperation(known, { id, version, updatedAtMs: 10 * version }),
    '',
  )

const parseVersions = (known: string) => operationsAfter(known, -1).map(({ version }) => version)

describe('the operations that a session remembers', () => {
  test('are the last ones, and are found by their id', () => {
    const many = Array.from({ length: MAX_REMEMBERED + 1 }, (_, n): [string, number] => [`op${n}`, n])
    const known = remember(...many)
    expect(findOperation(known, 'op0')).toBeUndefined()
    expect(findOperation(known, 'op1')).toEqual({ id: 'op1', version: 1, updatedAtMs: 10 })
    expect(findOperation(known, 'op')).toBeUndefined()
    expect(findOperation(null, 'op1')).toBeUndefined()
  })

  test('forget the lowest versions first, also if they came last', () => {
    const many = Array.from({ length: MAX_REMEMBERED }, (_, n): [string, number] => [`op${n}`, 10 + n])
    const known = remember(...many, ['late', 10], ['last', 40])
    expect(findOperation(known, 'late')).toBeUndefined()
    expect(findOperation(known, 'op0')).toBeUndefined()
    expect(findOperation(known, 'op1')).toBeDefined()
  })

  test('show what the session has lost, and not what it has only forgotten', () => {
    const versions = fc.array(fc.nat(30), { maxLength: 60 })
    fc.assert(
      fc.property(versions, fc.nat(30), (noted, version) => {
        const operations = noted.map((at, n): [string, number] => [`op${n}`, at])
        const known = remember(...operations)
        for (const [id, at] of operations) expect(hasLost(known, id, at)).toBe(false)
        expect(hasLost(known, 'never noted', version)).toBe(parseVersions(known).some(at => at <= version))
      }),
    )
  })

  test('can be sorted by their versions, and taken from a version on in the order of their notes', () => {
    const known = remember(['a', 1], ['b', 3], ['late', 2], ['again', 3])
    expect(
      sortOperations(known)
        .split('\n')
        .map(line => line.split(' ')[0]),
    ).toEqual(['b', 'again', 'late', 'a'])
    expect(operationsAfter(known, 1).map(({ id }) => id)).toEqual(['b', 'late', 'again'])
  })

  test('show which one took a version first', () => {
    expect(operationAt(remember(['a', 1], ['b', 2], ['c', 2]), 2)?.id).toBe('b')
    expect(operationAt(remember(['a', 1]), 2)).toBeUndefined()
  })

  test('show which one was there when another came late', () => {
    const known = remember(['a', 1], ['b', 2], ['late', 1], ['d', 3], ['again', 3])
    expect(overtakerOf(known, 'late')?.id).toBe('b')
    expect(overtakerOf(known, 'again')?.id).toBe('d')
    for (const inTime of ['a', 'b', 'd', 'unknown']) expect(overtakerOf(known, inTime)).toBeUndefined()
  })

  test.each(['x\n', 'x 1\n', ' 1 1\n', 'x 1 1\n', 'x 1e3 1\n', `x ${'9'.repeat(40)} 1\n`])(
    'survive a text of many damaged lines: %j',
    line => {
      for (const count of [1, 20, 100_000]) {
        const known = noteOperation(line.repeat(count), { id: 'next', version: 7, updatedAtMs: 70 })
        expect(findOperation(known, 'next')).toEqual({ id: 'next', version: 7, updatedAtMs: 70 })
        expect(lastOperation(known, 7)).toBe('next')
        expect(known.length).toBeLessThan(4096)
      }
    },
  )

  test('have forgotten a version that is older than all of them', () => {
    const many = Array.from({ length: MAX_REMEMBERED }, (_, n): [string, number] => [`op${n}`, 5 + n])
    expect(isForgotten(remember(...many), 4)).toBe(true)
    expect(isForgotten(remember(...many), 6)).toBe(false)
    expect(isForgotten(remember(...many.slice(1)), 4)).toBe(false)
    expect(isForgotten(undefined, 4)).toBe(false)
  })
})
