import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { HybridOptions } from '../../src/hybrid/index.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { IDLE, useOutbox } from '../support/hybrid/outbox-place.js'

const { servers, setUp } = useOutbox()
const SWEEP_EVERY_MS = 30_000

describe('the reconciler', () => {
  /** A store of another process whose sweeps the test triggers. */
  async function setUpSweeper(options: HybridOptions = {}) {
    const place = setUp({ enableWriteBehind: true, queue: IDLE })
    const proxy = await startFaultProxy(servers.mongo.port)
    onTestFinished(() => proxy.close())
    const mongoUrl = servers.mongo.url.replace(`${servers.mongo.port}`, `${proxy.port}`)
    const dead = await place.open({ mongoUrl })
    await dead.set('s', { creds: { registrationId: 7 } })
    await dead.set('s', { keys: { session: { a: 1 } } })
    const release = proxy.hold() // else it would bring its writes over after a while, without the queue
    onTestFinished(release)
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const sweeper = await place.open(options)
    const sweep = async () => {
      const { sweeps } = sweeper.getOutboxStats()
      await place.client.del(`lock:${place.name}:outbox`) // of the sweep before
      vi.advanceTimersByTime(SWEEP_EVERY_MS)
      await expect.poll(() => sweeper.getOutboxStats().sweeps, { timeout: 10_000 }).toBe(sweeps + 1)
    }
    return { ...place, dead, sweeper, sweep }
  }
  const LONG_AGO = { updatedAt: Date.now() - 60_000 }

  test('applies the entries that a dead process has left, even one that it had begun', async () => {
    const { sweep, entries, change } = await setUpSweeper()
    await change(1, { ...LONG_AGO, status: 'processing', attempts: 1 })
    await sweep()
    expect(await entries()).toEqual([])
  })

  test('leaves entries that are a few seconds old to their process and its queue', async () => {
    const { sweep, entries } = await setUpSweeper()
    await sweep()
    expect(await entries()).toMatchObject([{ status: 'pending', attempts: 0 }, { status: 'pending' }])
  })

  test('leaves a session to the process that holds its lock', async () => {
    const { client, sweep, entries, change, key } = await setUpSweeper()
    await change(1, LONG_AGO)
    await client.set(`lock:${key}`, 'another')
    await sweep()
    expect(await entries()).toHaveLength(2)
    await client.del(`lock:${key}`)
    await sweep()
    expect(await entries()).toEqual([])
  })

  test('applies an entry that waits behind many parked ones', async () => {
    const { client, dead, sweeper, sweep, change, key } = await setUpSweeper()
    await sweeper.reconcileOutbox()
    for (let n = 1; n <= 140; n++) await dead.set('s', { keys: { session: { a: n } } })
    const versions = (await client.hkeys(key)).map(Number)
    const last = Math.max(...versions)
    const unreadable = versions.filter(version => version < last)
    await change(last, LONG_AGO)
    await client.hset(key, Object.fromEntries(unreadable.map(version => [version, 'nonsense'])))
    await sweep()
    expect((await client.hkeys(key)).map(Number).sort()).toEqual(unreadable.sort())
  })

  test('records a failed attempt, and waits twice as long after each', async () => {
    const { sweep, entries, change, sweeper } = await setUpSweeper({ mongoUrl: 'mongodb://127.0.0.1:1/' })
    await change(1, LONG_AGO)
    await sweep()
    expect(await entries()).toMatchObject([
      { status: 'pending', attempts: 1, lastError: 'STORE_UNAVAILABLE' },
      { status: 'pending', attempts: 0 },
    ])
    expect(sweeper.getOutboxStats()).toMatchObject({ totalFailed: 1, lastRunAt: expect.any(Date) })
    await change(1, { attempts: 5, updatedAt: Date.now() - 25_000 }) // 2^5 s have not gone by
    await sweep()
    expect((await entries())[0]).toMatchObject({ attempts: 5 })
  })

  test('sweeps in only one of many processes each time', async () => {
    const { client, open, name, sweeper } = await setUpSweeper()
    const both = [sweeper, await open()]
    const sweeps = () => both.reduce((sum, store) => sum + store.getOutboxStats().sweeps, 0)
    const comeDue = async () => {
      vi.advanceTimersByTime(SWEEP_EVERY_MS)
      await Promise.all(both.map(store => store.exists('s'))) // answered after the lock was asked for
    }
    await comeDue()
    await expect.poll(sweeps).toBe(1)
    await comeDue()
    expect(sweeps()).toBe(1)
    expect(both.map(store => store.getOutboxStats().isRunning)).toEqual([false, false])
    const lockedMs = await client.pttl(`lock:${name}:outbox`)
    expect(lockedMs).toBeGreaterThan(0.5 * SWEEP_EVERY_MS)
    expect(lockedMs).toBeLessThan(SWEEP_EVERY_MS)
  })

  test('runs one sweep at a time, and keeps its lock for as long as the sweep takes', async () => {
    const place = setUp({ enableWriteBehind: true, queue: IDLE })
    const proxy = await startFaultProxy(servers.mongo.port)
    onTestFinished(() => proxy.close())
    const mongoUrl = servers.mongo.url.replace(`${servers.mongo.port}`, `${proxy.port}`)
    const dead = await place.open({ mongoUrl })
    await dead.set('s', { creds: { registrationId: 7 } })
    await place.change(1, LONG_AGO)
    const release = proxy.hold()
    onTestFinished(release)
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const resilience = { operationTimeout: 60_000 }
    const sweeper = await place.open({ mongoUrl, resilience })
    const lock = `lock:${place.name}:outbox`
    const firstOfSession = `lock:${place.key}`
    vi.advanceTimersByTime(SWEEP_EVERY_MS)
    await expect.poll(() => place.client.exists(firstOfSession)).toBe(1) // it is at it, and waits for MongoDB
    await place.client.pexpire(lock, 1000)
    vi.advanceTimersByTime(SWEEP_EVERY_MS / 3)
    await expect.poll(() => place.client.pttl(lock)).toBeGreaterThan(1000)
    await place.client.del(lock)
    vi.advanceTimersByTime(2 * SWEEP_EVERY_MS)
    await sweeper.exists('s')
    expect(await place.client.exists(lock)).toBe(0)
    release()
    await expect.poll(() => sweeper.getOutboxStats().sweeps, { timeout: 20_000 }).toBe(1)
  })

  test('waits longer for its next sweep after it has found nothing', async () => {
    const { client, sweeper, sweep, name } = await setUpSweeper()
    await sweeper.reconcileOutbox()
    await sweep()
    await expect.poll(() => client.pttl(`lock:${name}:outbox`)).toBeGreaterThan(SWEEP_EVERY_MS)
  })
})
