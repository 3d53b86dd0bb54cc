import { describe, expect, it } from 'vitest'
import { ConnectionPool } from '../../src/core/connection/connection-pool.js'
import { deferred } from '../support/deferred.js'

interface Connection {
  name: string
}

function makePool() {
  const opened: Connection[] = []
  const closed: Connection[] = []
  const pool = new ConnectionPool<Connection>(async connection => void closed.push(connection))
  const open = (name: string) => async () => {
    const connection = { name }
    opened.push(connection)
    return connection
  }
  return { pool, open, opened, closed }
}

describe('ConnectionPool', () => {
  it('opens a name once for all callers, even concurrent ones', async () => {
    const { pool, open, opened } = makePool()
    const leases = await Promise.all([1, 2, 3].map(() => pool.acquire('a', open('a'))))
    const later = await pool.acquire('a', open('a'))
    expect(opened).toHaveLength(1)
    expect(new Set([...leases, later].map(({ connection }) => connection)).size).toBe(1)
  })

  it('keeps names apart', async () => {
    const { pool, open, opened } = makePool()
    const [a, b] = [await pool.acquire('a', open('a')), await pool.acquire('b', open('b'))]
    expect(a.connection).not.toBe(b.connection)
    expect(opened).toHaveLength(2)
  })

  it('closes a connection with its last release, and opens it anew after that', async () => {
    const { pool, open, opened, closed } = makePool()
    const first = await pool.acquire('a', open('a'))
    const second = await pool.acquire('a', open('a'))
    await first.release()
    expect(closed).toEqual([])
    await second.release()
    expect(closed).toEqual([first.connection])
    const third = await pool.acquire('a', open('a'))
    expect(opened).toHaveLength(2)
    expect(third.connection).not.toBe(first.connection)
  })

  it('counts a lease that is released twice only once', async () => {
    const { pool, open, closed } = makePool()
    const first = await pool.acquire('a', open('a'))
    const second = await pool.acquire('a', open('a'))
    await first.release()
    await first.release()
    expect(closed).toEqual([])
    await second.release()
    await second.release()
    expect(closed).toHaveLength(1)
  })

  it('does not keep a failed opening, which rejects for all callers that waited for it', async () => {
    const { pool, open, opened } = makePool()
    const opening = deferred<Connection>()
    const waiting = [1, 2].map(() => pool.acquire('a', () => opening.promise))
    opening.reject(new Error('refused'))
    const outcomes = await Promise.allSettled(waiting)
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await pool.acquire('a', open('a'))
    expect(opened).toHaveLength(1)
  })

  it('keeps the connection opened after a failed opening, even if a caller learns of the failure later', async () => {
    const { pool, open, opened } = makePool()
    const opening = deferred<Connection>()
    const failing = () => opening.promise
    const first = pool.acquire('a', failing)
    const second = opening.promise.catch(() => pool.acquire('a', open('a')))
    const slow = pool.acquire('a', failing)
    opening.reject(new Error('refused'))
    await Promise.allSettled([first, second, slow])
    await pool.acquire('a', open('a'))
    expect(opened).toHaveLength(1)
  })
})
