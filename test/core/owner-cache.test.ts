import { expect, it } from 'vitest'
import { CREDS_FIELD } from '../../src/core/backend.js'
import type { CachedSession } from '../../src/core/store/cached-session.js'
import { OwnerCache } from '../../src/core/store/owner-cache.js'

const MAX_BYTES = 100_000

function put(session: CachedSession, id: string, bytes: number): void {
  const value = { serialiser: 'json', bytes: new Uint8Array(bytes) } as const
  session.endWrite(session.beginWrite([{ type: 'session', id }]), 1, [value])
}

async function isHeld(session: CachedSession, id: string): Promise<boolean> {
  let held = true
  await session.readThrough([{ type: 'session', id }], async () => {
    held = false
    return { version: 0, values: [null] }
  })
  return held
}

it('the owner cache is bounded in bytes over all sessions, and keeps the latest used fields', async () => {
  const cache = new OwnerCache(MAX_BYTES)
  for (let n = 0; n < 500; n++) {
    cache.begin(`s${n}`, 1, 0)
    put(cache.of(`s${n}`) as CachedSession, 'a', 1000)
    expect(cache.bytes).toBeLessThanOrEqual(MAX_BYTES)
  }
  expect(cache.bytes).toBeGreaterThan(MAX_BYTES * 0.9)
  expect(await isHeld(cache.of('s499') as CachedSession, 'a')).toBe(true)
  expect(await isHeld(cache.of('s0') as CachedSession, 'a')).toBe(false)
})

it('the owner cache keeps no value that would take an eighth of it', async () => {
  const cache = new OwnerCache(MAX_BYTES)
  cache.begin('s', 1, 0)
  const session = cache.of('s') as CachedSession
  put(session, 'small', 10)
  put(session, 'large', MAX_BYTES / 8)
  expect(await isHeld(session, 'small')).toBe(true)
  expect(await isHeld(session, 'large')).toBe(false)
})

it('the owner cache does not keep creds, which are read once', () => {
  const cache = new OwnerCache(MAX_BYTES)
  cache.begin('s', 1, 0)
  const session = cache.of('s') as CachedSession
  const creds = { serialiser: 'json', bytes: new Uint8Array(1000) } as const
  session.endWrite(session.beginWrite([CREDS_FIELD]), 1, [creds])
  expect(cache.bytes).toBe(0)
})

it('the owner cache of a session begins anew with each claim', async () => {
  const cache = new OwnerCache(MAX_BYTES)
  cache.begin('s', 1, 0)
  put(cache.of('s') as CachedSession, 'a', 10)
  cache.begin('s', 2, 1)
  expect(cache.of('s')?.fencingToken).toBe(2)
  expect(await isHeld(cache.of('s') as CachedSession, 'a')).toBe(false)
})

it('the owner cache forgets a session for its owner only', () => {
  const cache = new OwnerCache(MAX_BYTES)
  cache.begin('s', 2, 0)
  cache.forget('s', 1)
  expect(cache.of('s')?.fencingToken).toBe(2)
  cache.forget('s', 2)
  expect(cache.of('s')).toBeUndefined()
})
