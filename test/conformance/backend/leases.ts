import { describe, expect, test } from 'vitest'
import { Clock, type CreateDatabase, deletion, openBackends, put } from './harness.js'

const LEASE_MS = 5000

export function describeLeases(create: CreateDatabase): void {
  describe('a lease', () => {
    async function setUp() {
      const clock = new Clock()
      const open = await openBackends(create)
      const options = { now: clock.now, ttlMs: 60_000 }
      return { clock, one: await open(options), other: await open(options) }
    }
    const locked = { code: 'SESSION_LOCKED' }

    test.each([['an absent', false], ['an existing']])(
      'on %s session refuses every claim until it ends',
      async (_, exists = true) => {
        const { clock, one, other } = await setUp()
        if (exists) await put(one, 's', { a: '1' })
        const { fencingToken } = await one.claim('s', { leaseMs: LEASE_MS })
        clock.advance(LEASE_MS - 1)
        await expect(other.claim('s', { leaseMs: LEASE_MS })).rejects.toMatchObject({
          ...locked,
          remainingMs: 1,
        })
        await expect(other.claim('s')).rejects.toMatchObject(locked)
        await put(one, 's', { a: '2' }, { fencingToken })
        clock.advance(1)
        expect((await other.claim('s', { leaseMs: LEASE_MS })).fencingToken).toBeGreaterThan(fencingToken)
        await expect(put(one, 's', { a: '3' }, { fencingToken })).rejects.toMatchObject({ code: 'FENCED' })
      },
    )

    test('is renewed by its owner for the given time, which commits and touches do not change', async () => {
      const { clock, one, other } = await setUp()
      const { fencingToken } = await one.claim('s', { leaseMs: LEASE_MS })
      clock.advance(4000)
      await one.lease('s', fencingToken, LEASE_MS)
      await put(one, 's', { a: '1' }, { fencingToken })
      await one.touch('s', 60_000)
      clock.advance(4000)
      await expect(other.claim('s')).rejects.toMatchObject(locked)
      clock.advance(1000)
      await other.claim('s')
    })

    test('lets the next claim through at once after its release', async () => {
      const { one, other } = await setUp()
      const { fencingToken } = await one.claim('s', { leaseMs: LEASE_MS })
      await one.lease('s', fencingToken, null)
      await other.claim('s', { leaseMs: LEASE_MS })
    })

    test('that its owner renews after its end holds against a process that saw it end', async () => {
      const { clock, one, other } = await setUp()
      await put(one, 's', { a: '1' })
      const { fencingToken } = await one.claim('s', { leaseMs: LEASE_MS })
      clock.advance(LEASE_MS)
      await other.read('s', [])
      await one.lease('s', fencingToken, LEASE_MS)
      await expect(other.claim('s')).rejects.toMatchObject(locked)
    })

    test('is neither renewed nor released by an earlier owner', async () => {
      const { clock, one, other } = await setUp()
      await put(one, 's', { a: '1' })
      const { fencingToken } = await one.claim('s', { leaseMs: LEASE_MS })
      clock.advance(LEASE_MS)
      const later = await other.claim('s', { leaseMs: LEASE_MS })
      const fenced = { code: 'FENCED', current: later.fencingToken }
      await expect(one.lease('s', fencingToken, LEASE_MS)).rejects.toMatchObject(fenced)
      await expect(one.lease('s', fencingToken, null)).rejects.toMatchObject(fenced)
      await expect(one.claim('s')).rejects.toMatchObject(locked)
    })

    test('ends with its session, and belongs to one session', async () => {
      const { one, other } = await setUp()
      await put(one, 's', { a: '1' })
      await one.claim('s', { leaseMs: LEASE_MS })
      await other.claim('s2', { leaseMs: LEASE_MS })
      await other.delete('s', deletion())
      await other.claim('s')
      await expect(one.claim('s2')).rejects.toMatchObject(locked)
    })

    test('is not held by a claim that asks for none', async () => {
      const { one, other } = await setUp()
      await one.claim('s')
      await other.claim('s', { leaseMs: LEASE_MS })
    })
  })
}
