import { describe, expect, it } from 'vitest'
import { SessionMemory } from '../../src/core/store/session-memory.js'

const write = (id: string, length = 1) => ({ type: 'session', id, bytes: new Uint8Array(length) })

const heldAfter = (memory: SessionMemory, sessionId: string, version: number) =>
  memory.writesAfter(sessionId, version).map(held => held.write)

describe('SessionMemory', () => {
  it('remembers the highest version, whatever comes after it', () => {
    const memory = new SessionMemory()
    expect(memory.seenVersion('a')).toBe(0)
    memory.noteVersion('a', 5)
    memory.noteVersion('a', 3)
    expect(memory.seenVersion('a')).toBe(5)
    expect(memory.seenVersion('b')).toBe(0)
  })

  it('remembers the last change of this process while others write, until another history is taken over', () => {
    const memory = new SessionMemory()
    const [first, second] = [memory.operationIds.next(), memory.operationIds.next()]
    const note = (version: number, operation: string) =>
      memory.noteHistory('a', {
        version,
        operation,
        incarnation: 'one',
        updatedAtMs: 10 * version,
        exists: true,
      })
    const own = () => memory.history('a').own
    note(1, first)
    expect(own()).toBeUndefined()
    note(2, 'other')
    note(3, '')
    expect(own()).toEqual({ version: 1, operation: first })
    note(4, second)
    expect(own()).toBeUndefined()
    note(5, 'other')
    expect(own()).toEqual({ version: 4, operation: second })
    expect(memory.history('a').updatedAtMs).toBe(50)
    const healed = {
      version: 6,
      operation: 'heal',
      incarnation: 'two',
      updatedAtMs: 7,
      exists: true,
      forks: [],
    }
    memory.adopt('a', healed)
    expect(own()).toBeUndefined()
    expect(memory.history('a').updatedAtMs).toBe(7)
  })

  it('gives the last write of each field after a version, for this session only', () => {
    const memory = new SessionMemory()
    const [old, first, second, gone] = [write('x'), write('y'), write('y', 2), { ...write('z'), bytes: null }]
    memory.noteWrites('a', 1, [old])
    memory.noteWrites('a', 2, [first])
    memory.noteWrites('a', 3, [second, gone])
    memory.noteWrites('b', 9, [write('y'), write('other')])
    expect(heldAfter(memory, 'a', 1)).toHaveLength(2)
    expect(heldAfter(memory, 'a', 1)).toEqual(expect.arrayContaining([second, gone]))
    expect(heldAfter(memory, 'a', 3)).toEqual([])
  })

  it('keeps the write of the highest version, even if the answer to an earlier one comes later', () => {
    const memory = new SessionMemory()
    const [late, last] = [write('x'), write('x', 2)]
    memory.noteWrites('a', 3, [last])
    memory.noteWrites('a', 2, [late])
    expect(heldAfter(memory, 'a', 0)).toEqual([last])
  })

  it('keeps fields apart that look alike when they are joined', () => {
    const memory = new SessionMemory()
    memory.noteWrites('a', 1, [{ type: 'x', id: 'y:z', bytes: null }])
    memory.noteWrites('a', 1, [{ type: 'x:y', id: 'z', bytes: null }])
    memory.noteWrites('a:x', 1, [{ type: 'y', id: 'z', bytes: null }])
    expect(heldAfter(memory, 'a', 0)).toHaveLength(2)
    expect(heldAfter(memory, 'a:x', 0)).toHaveLength(1)
  })

  it('forgets what was written before the session began, and nothing that was written since', () => {
    const memory = new SessionMemory()
    const [old, next] = [write('x'), write('y')]
    memory.noteWrites('a', 1, [old])
    memory.noteWrites('a', 4, [next])
    const begun = { version: 3, incarnation: 'op3', operation: 'op3', updatedAtMs: 0, exists: true }
    memory.noteOwn('a', begun)
    expect(heldAfter(memory, 'a', 0)).toEqual([next])
    memory.noteOwn('a', { ...begun, version: 5, operation: 'op5' })
    expect(heldAfter(memory, 'a', 0)).toEqual([next])
  })

  it('forgets the writes of a session that is deleted, and nothing of its siblings', () => {
    const memory = new SessionMemory()
    for (const sessionId of ['a', 'a:b']) {
      memory.noteWrites(sessionId, 1, [write('x')])
      memory.noteVersion(sessionId, 1)
    }
    const deleted = { version: 2, fence: 7, operation: 'op', deletedAtMs: 9 }
    memory.noteDeletion('a', { ...deleted, durability: 'durable' }, 'leave')
    expect(heldAfter(memory, 'a', 0)).toEqual([])
    expect(heldAfter(memory, 'a:b', 0)).toHaveLength(1)
    expect(memory.history('a')).toMatchObject({ version: 2, operation: 'op', updatedAtMs: 9, exists: false })
    expect(memory.deletion('a')).toEqual({ ...deleted, copy: 'leave' })
    expect(memory.fence('a')).toBe(7)
    expect(memory.seenVersion('a:b')).toBe(1)
  })

  describe('after a session was unused for longer than a store keeps an ended one', () => {
    const HOUR_MS = 60 * 60 * 1000

    function setUp() {
      let nowMs = 1
      const memory = new SessionMemory({ now: () => nowMs })
      const remember = () => {
        memory.noteVersion('a', 3)
        memory.noteWrites('a', 3, [write('x')])
        for (const hours of [23, 23]) {
          nowMs += hours * HOUR_MS
          expect(memory.seenVersion('a')).toBe(3)
        }
        nowMs += 25 * HOUR_MS
      }
      return { memory, remember }
    }

    it('knows nothing of the session if it may have expired', () => {
      const { memory, remember } = setUp()
      memory.expectExpiry()
      remember()
      expect(memory.seenVersion('a')).toBe(0)
      expect(heldAfter(memory, 'a', 0)).toEqual([])
    })

    it('knows everything of the session if sessions live for ever', () => {
      const { memory, remember } = setUp()
      remember()
      expect(memory.seenVersion('a')).toBe(3)
      expect(heldAfter(memory, 'a', 0)).toHaveLength(1)
    })
  })

  it('remembers the last token', () => {
    const memory = new SessionMemory()
    memory.noteToken('a', 1)
    memory.noteToken('a', 2)
    expect(memory.token('a')).toBe(2)
    expect(memory.token('b')).toBeUndefined()
  })

  it('holds at most 8 MiB of writes, the newest ones', () => {
    const memory = new SessionMemory()
    for (let i = 0; i < 20; i++) memory.noteWrites('a', i + 1, [write(String(i), 1024 * 1024)])
    const held = heldAfter(memory, 'a', 0)
    expect(held.length).toBeGreaterThanOrEqual(6)
    expect(held.length).toBeLessThanOrEqual(8)
    expect(held.map(({ id }) => id)).toContain('19')
    expect(held.map(({ id }) => id)).not.toContain('0')
    memory.noteWrites('a', 30, [write('huge', 9 * 1024 * 1024)])
    expect(heldAfter(memory, 'a', 29)).toEqual([])
  })

  it('holds the bytes of a write, not the block of memory around them', () => {
    const memory = new SessionMemory()
    const bytes = Buffer.alloc(8192, 7).subarray(100, 300)
    memory.noteWrites('a', 1, [{ type: 'session', id: 'x', bytes }])
    const [held] = heldAfter(memory, 'a', 0)
    expect(held?.bytes).toEqual(new Uint8Array(bytes))
    expect(held?.bytes?.buffer.byteLength).toBe(200)
  })

  it('counts the cost of a write beside its bytes, so that deletions are bounded, too', () => {
    const memory = new SessionMemory()
    const deletions = Array.from({ length: 60_000 }, (_, i) => ({
      type: 'pre-key',
      id: String(i),
      bytes: null,
    }))
    memory.noteWrites('a', 1, deletions)
    expect(heldAfter(memory, 'a', 0).length).toBeLessThan(15_000)
  })

  it('remembers the versions and tokens of the 50,000 sessions used last', () => {
    const memory = new SessionMemory()
    memory.noteVersion('first', 1)
    memory.noteVersion('second', 1)
    memory.noteToken('first', 1)
    for (let i = 0; i < 49_999; i++) memory.noteVersion(`s${i}`, 1)
    for (let i = 0; i < 50_000; i++) memory.noteToken(`s${i}`, 1)
    expect(memory.seenVersion('first')).toBe(0)
    expect(memory.token('first')).toBeUndefined()
    expect(memory.seenVersion('second')).toBe(1)
  })
})
