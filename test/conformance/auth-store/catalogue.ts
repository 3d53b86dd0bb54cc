import { describe, expect, test } from 'vitest'
import type { AuthStore, SessionFilter } from '../../../src/index.js'
import { sessionsOf } from '../../support/sessions-of.js'
import { CREDS, type CreateStoreDatabase, KEY, OTHER_KEY, setUp } from './harness.js'

const PAIRED = { ...CREDS, me: { id: '15550001234:1@s.whatsapp.net' } }

async function namesOf(store: AuthStore, filter?: SessionFilter): Promise<string[]> {
  return (await sessionsOf(store, filter)).map(({ sessionId }) => sessionId).sort()
}

export function describeCatalogue(create: CreateStoreDatabase): void {
  describe('describe', () => {
    test('tells what the head of a session knows', async () => {
      const { open } = await setUp(create)
      const store = await open()
      const beganMs = Date.now()
      await store.set('s', { creds: PAIRED })
      const { version, updatedAt } = await store.set('s', { keys: { session: { a: 1 } } })
      const info = await store.describe('s')
      expect(info).toEqual({
        sessionId: 's',
        version,
        isPaired: true,
        createdAt: expect.any(Date),
        updatedAt,
        expiresAt: store.ttlSeconds === null ? null : new Date(updatedAt.getTime() + store.ttlSeconds * 1000),
        owner: null,
      })
      const createdMs = info?.createdAt?.getTime() ?? 0
      expect(createdMs).toBeLessThanOrEqual(updatedAt.getTime())
      expect(Math.abs(createdMs - beganMs)).toBeLessThan(60_000)
    })

    test('knows no session that is absent or deleted, and none that was only claimed', async () => {
      const { open } = await setUp(create)
      const store = await open()
      await store.set('deleted', { creds: CREDS })
      await store.delete('deleted')
      await store.claim('claimed', { owner: 'worker' })
      for (const name of ['absent', 'deleted', 'claimed']) expect(await store.describe(name)).toBeNull()
      expect(await namesOf(store)).toEqual([])
    })

    test('follows the pairing in the creds, and needs no master key for it', async () => {
      const { open } = await setUp(create)
      const store = await open({ masterKey: KEY })
      const other = await open({ masterKey: OTHER_KEY })
      await store.set('s', { creds: CREDS })
      expect(await other.describe('s')).toMatchObject({ isPaired: false })
      await store.set('s', { creds: PAIRED })
      expect(await other.describe('s')).toMatchObject({ isPaired: true })
      await store.set('s', { keys: { session: { a: 1 } } })
      expect(await store.describe('s')).toMatchObject({ isPaired: true, version: 3 })
    })

    test('keeps the beginning of a life, and forgets it with the life', async () => {
      let nowMs = Date.now()
      const { openElsewhere } = await setUp(create)
      const store = await openElsewhere(null, () => nowMs)
      await store.set('s', { creds: CREDS })
      const first = await store.describe('s')
      nowMs += 1000
      await store.set('s', { creds: CREDS })
      expect((await store.describe('s'))?.createdAt).toEqual(first?.createdAt)
      await store.claim('s', { owner: 'worker-1' })
      await store.delete('s')
      await store.set('s', { creds: CREDS })
      const second = await store.describe('s')
      expect(second?.createdAt?.getTime()).toBeGreaterThan(first?.createdAt?.getTime() ?? 0)
      expect(second?.owner).toBeNull()
    })

    test('tells the end of a life, and no session after it', async () => {
      let nowMs = Date.now()
      const { openElsewhere } = await setUp(create)
      const store = await openElsewhere(5000, () => nowMs)
      const { updatedAt } = await store.set('s', { creds: CREDS })
      expect((await store.describe('s'))?.expiresAt?.getTime()).toBe(updatedAt.getTime() + 5000)
      await store.touch('s', 0)
      expect((await store.describe('s'))?.expiresAt).toBeNull()
      await store.touch('s', 5)
      nowMs += 5001
      expect(await store.describe('s')).toBeNull()
      expect(await namesOf(store)).toEqual([])
    })

    test('names the last owner, and takes nothing from it', async () => {
      const { open } = await setUp(create)
      const store = await open()
      const other = await open()
      await store.set('s', { creds: CREDS })
      await store.claim('s', { owner: 'worker-1' })
      const { fencingToken } = await store.claim('s', { owner: 'worker-2', exclusive: true })
      const info = await other.describe('s')
      expect(info?.owner).toEqual({
        label: 'worker-2',
        fencingToken,
        claimedAt: expect.any(Date),
        leaseEndsAt: expect.any(Date),
      })
      const { claimedAt, leaseEndsAt } = info?.owner ?? {}
      const leaseMs = Number(leaseEndsAt) - Number(claimedAt)
      expect(Math.abs(leaseMs - store.leaseSeconds * 1000)).toBeLessThan(1000)
      await store.set('s', { keys: { session: { a: 1 } } }, undefined, fencingToken)
      await store.releaseLease('s', fencingToken)
      expect((await other.describe('s'))?.owner).toMatchObject({ label: 'worker-2', leaseEndsAt: null })
      await other.claim('s')
      expect((await store.describe('s'))?.owner).toMatchObject({ label: null, leaseEndsAt: null })
    })
  })

  describe('the name of an owner', () => {
    test('stands in the errors of those whom it keeps out', async () => {
      const { open } = await setUp(create)
      const store = await open()
      await store.set('s', { creds: CREDS })
      const early = await store.claim('s', { owner: 'worker-1' })
      const late = await store.claim('s', { owner: 'worker-7', exclusive: true })
      const refused = store.set('s', { creds: CREDS }, undefined, early.fencingToken)
      await expect(refused).rejects.toMatchObject({
        code: 'FENCED',
        owner: 'worker-7',
        current: late.fencingToken,
        message: expect.stringMatching(
          /^"worker-7" \(since \d{4}-\d\d-\d\dT[\d:.]+Z\) has opened the session/,
        ),
      })
      await expect(store.claim('s', { owner: 'worker-8' })).rejects.toMatchObject({
        code: 'SESSION_LOCKED',
        owner: 'worker-7',
        message: expect.stringMatching(/^"worker-7" \(since [^)]+\) has the session open/),
      })
    })

    test('that is a phone number is masked in messages', async () => {
      const { open } = await setUp(create)
      const store = await open()
      await store.set('s', { creds: CREDS })
      const { fencingToken } = await store.claim('s')
      await store.claim('s', { owner: 'of +4915112345678' })
      const error = await store.set('s', {}, undefined, fencingToken).catch(error => error)
      expect(error.message).toMatch(/^"of \+…78" /)
    })

    test.each(['', 5, 'a\nb', '\ud800', 'x'.repeat(129)])('%j is refused', async owner => {
      const { open } = await setUp(create)
      const store = await open()
      const claim = store.claim('s', { owner: owner as string })
      await expect(claim).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    })
  })

  describe('sessions', () => {
    test('goes over all sessions while others begin and end', async () => {
      const { open } = await setUp(create)
      const store = await open()
      const names = Array.from({ length: 250 }, (_, n) => `bot-${n}`)
      await Promise.all(names.map(name => store.set(name, { creds: CREDS })))
      const seen = new Set<string>()
      for await (const { sessionId, isPaired } of store.sessions()) {
        expect(isPaired).toBe(false)
        if (seen.size % 50 === 0) {
          await store.set(`new-${seen.size}`, { creds: CREDS })
          await store.delete(`new-${seen.size - 50}`)
        }
        seen.add(sessionId)
      }
      expect(names.filter(name => !seen.has(name))).toEqual([])
    })

    test('chooses by pairing, owner and idleness', async () => {
      const HOUR_MS = 3_600_000
      let nowMs = Date.now() - HOUR_MS
      const { openElsewhere } = await setUp(create)
      const store = await openElsewhere(null, () => nowMs)
      await store.set('idle', { creds: PAIRED })
      await store.claim('idle', { owner: 'one' })
      nowMs += HOUR_MS
      await store.set('waiting', { creds: CREDS })
      await store.set('busy', { creds: PAIRED })
      await store.claim('busy', { owner: 'other' })
      expect(await namesOf(store)).toEqual(['busy', 'idle', 'waiting'])
      expect(await namesOf(store, { pairedOnly: true })).toEqual(['busy', 'idle'])
      expect(await namesOf(store, { ownedBy: 'one' })).toEqual(['idle'])
      expect(await namesOf(store, { pairedOnly: true, ownedBy: 'other' })).toEqual(['busy'])
      expect(await namesOf(store, { idleSinceMs: 0 })).toHaveLength(3)
      expect(await namesOf(store, { idleSinceMs: HOUR_MS / 2 })).toEqual(['idle'])
    })

    test.each([
      { pairedOnly: 1 },
      { ownedBy: 5 },
      { idleSinceMs: -1 },
      { idleSinceMs: Number.NaN },
      { paired: true },
      null,
    ])('refuses the filter %j', async filter => {
      const { open } = await setUp(create)
      const store = await open()
      expect(() => store.sessions(filter as SessionFilter)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION' }),
      )
    })
  })
}
