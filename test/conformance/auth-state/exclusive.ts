import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { hasCode } from '../../../src/core/errors.js'
import { openAuthState } from '../../../src/core/hook/auth-state.js'
import type { CreateStoreDatabase } from '../auth-store/harness.js'
import { record, setStage } from './harness.js'

/** Short, so that a test can wait for the end of a lease. */
const LEASE_MS = 600
/** Long enough for a busy machine. */
const TAKEN_MS = 20_000

export function describeExclusive(create: CreateStoreDatabase): void {
  describe('exclusive ownership', () => {
    const exclusive = { ownership: 'exclusive', leaseMs: LEASE_MS } as const

    test('is refused while another owner has it, for longer than a lease lasts', async () => {
      const { open } = await setStage(create)
      const first = await open(exclusive)
      await expect(open(exclusive)).rejects.toMatchObject({ code: 'SESSION_LOCKED', sessionId: 's' })
      await expect(open({ leaseMs: LEASE_MS })).rejects.toMatchObject({ code: 'SESSION_LOCKED' })
      await first.state.keys.set({ session: { a: record('still mine') } })
    })

    test('is handed over by close, without waiting for the lease to end', async () => {
      const { open } = await setStage(create)
      const patient = { ownership: 'exclusive', leaseMs: 60_000 } as const
      const first = await open(patient)
      await first.state.keys.set({ session: { a: record('1') } })
      const opening = open(patient)
      await sleep(50)
      await first.close()
      const second = await opening // a minute's lease would outlast the test
      expect(await second.state.keys.get('session', ['a'])).toEqual({ a: record('1') })
      await second.state.keys.set({ session: { a: record('2') } })
    })

    test('is not waited for any longer once the signal is aborted', async () => {
      const { open, openStore } = await setStage(create)
      const patient = { ownership: 'exclusive', leaseMs: 60_000 } as const
      const first = await open(patient)
      const { store, backend } = await openStore(patient)
      const abort = new AbortController()
      const opening = open({ ...patient, store, signal: abort.signal })
      await vi.waitFor(() => expect(backend.count('claim')).toBeGreaterThan(1), { timeout: TAKEN_MS })
      abort.abort(new Error('enough'))
      await expect(opening).rejects.toThrow('enough')
      await first.state.keys.set({ session: { a: record('still mine') } })
    })

    test('is taken from an owner that has died once its lease has ended', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore({ leaseMs: LEASE_MS })
      const dead = await openAuthState({ sessionId: 's', store, ownership: 'exclusive' })
      backend.fail('lease')
      backend.fail('touch')
      const second = await open(exclusive)
      backend.heal()
      await expect(dead.state.keys.set({ session: { a: record('late') } })).rejects.toMatchObject({
        code: 'FENCED',
      })
      await second.state.keys.set({ session: { a: record('mine') } })
      await dead.close()
    })

    test('lost while the owner slept is noticed at the next renewal', async () => {
      const { open, raw } = await setStage(create)
      let isLost = () => {}
      const lost = new Promise<void>(resolve => {
        isLost = resolve
      })
      const first = await open({ ...exclusive, onOwnershipLost: () => isLost() })
      const { head } = await raw.read('s', [])
      await vi.waitFor(async () => {
        // The owner may renew its lease in between. The claim is then refused, or is made in one of two databases.
        await raw.lease('s', head.fence, null).catch(unlessFenced)
        await raw.claim('s')
      }, TAKEN_MS)
      await lost
      await expect(first.saveCreds()).rejects.toMatchObject({ code: 'FENCED' })
    })
  })
}

function unlessFenced(error: unknown): void {
  if (!hasCode(error, 'FENCED')) throw error
}
