import { describe, expect, test } from 'vitest'
import type { HeadDocument } from '../../src/mongodb/documents.js'
import { Lifetime } from '../../src/mongodb/lifetime.js'

const DAY_MS = 24 * 60 * 60 * 1000
const TTL_MS = 30 * DAY_MS
const NOW_MS = Date.UTC(2030, 0, 1)
const life = new Lifetime(TTL_MS, DAY_MS)
const lived = (keptUntil: Date | undefined) => ({ session: 's', keptUntil }) as HeadDocument
const daysFromNow = (date: Date | undefined) => date && (date.getTime() - NOW_MS) / DAY_MS

describe('the documents of a session', () => {
  test('are kept longer than the session lives, and the head longer than the fields', () => {
    const { endsAt, keptUntil, expiresAt } = life.from(NOW_MS, undefined)
    expect([endsAt, keptUntil, expiresAt].map(daysFromNow)).toEqual([30, 34, 35])
  })

  test('are renewed when they would be removed before the session ends, and not earlier', () => {
    const { keptUntil } = life.from(NOW_MS, undefined)
    const soon = life.from(NOW_MS + 3 * DAY_MS, lived(keptUntil))
    expect([soon.endsAt, soon.keptUntil].map(daysFromNow)).toEqual([33, 34])
    const later = life.from(NOW_MS + 3 * DAY_MS + 1, lived(keptUntil))
    expect(Math.round(daysFromNow(later.keptUntil) ?? 0)).toBe(37)
  })

  test('that were kept for ever stay so, even if the session then expires', () => {
    const { endsAt, keptUntil, expiresAt } = life.from(NOW_MS, lived(undefined))
    expect([endsAt, keptUntil, expiresAt].map(daysFromNow)).toEqual([30, undefined, undefined])
  })

  test('of a new session after a vacant head are kept like those of any other', () => {
    const vacant = { ...Lifetime.vacant(NOW_MS) } as HeadDocument
    expect(daysFromNow(vacant.expiresAt)).toBe(30)
    expect(daysFromNow(life.from(NOW_MS, vacant).keptUntil)).toBe(34)
  })

  test('have no end for a session that lives for ever', () => {
    const never = { endsAt: undefined, keptUntil: undefined, expiresAt: undefined }
    expect(new Lifetime(null, DAY_MS).from(NOW_MS, lived(new Date(NOW_MS)))).toEqual(never)
  })
})
