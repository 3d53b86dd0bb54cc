import { LRUCache } from 'lru-cache'
import { describe, expect, it } from 'vitest'
import type { Field } from '../../src/core/auth-store.js'
import { CachedSession, type CachedValue } from '../../src/core/store/cached-session.js'

const fields = (...ids: string[]): Field[] => ids.map(id => ({ type: 'session', id }))
const value = (text: string): CachedValue => ({ serialiser: 'json', bytes: Buffer.from(text) })
const text = (cached: CachedValue | undefined): string | undefined =>
  cached ? Buffer.from(cached.bytes).toString() : undefined

/** A session at version 5, and the fields asked of the database, which answers with `state`. */
function scene({ max = 1000 } = {}) {
  const state: { version: number; [id: string]: number | string } = { version: 5, a: 'a5', b: 'b5' }
  const session = new CachedSession(new LRUCache({ max }), 's', 7, 5)
  const asked: string[][] = []
  const answer = (missing: readonly Field[]) => {
    asked.push(missing.map(({ id }) => id))
    const values = missing.map(({ id }) => (state[id] === undefined ? null : value(String(state[id]))))
    return { version: state.version, values }
  }
  return {
    session,
    state,
    asked,
    answer,
    read: async (...ids: string[]) =>
      (await session.readThrough(fields(...ids), async missing => answer(missing))).map(text),
    /** Ends at once, as the next version of the state. */
    write(id: string, to: string) {
      const write = session.beginWrite(fields(id))
      state[id] = to
      session.endWrite(write, ++state.version, [value(to)])
    },
  }
}

describe('a cached session', () => {
  it('asks for each field once, absent ones included', async () => {
    const { read, asked } = scene()
    expect(await read('a', 'none')).toEqual(['a5', undefined])
    expect(await read('none', 'a')).toEqual([undefined, 'a5'])
    expect(asked).toEqual([['a', 'none']])
  })

  it('holds written values once their write has ended', async () => {
    const { session, state, read, asked } = scene()
    await read('a')
    const write = session.beginWrite(fields('a', 'gone'))
    expect(await read('a')).toEqual(['a5'])
    state.version = 6
    session.endWrite(write, 6, [value('a6'), null])
    expect(await read('a', 'gone')).toEqual(['a6', undefined])
    expect(asked).toEqual([['a']])
  })

  it('asks only for the missing fields', async () => {
    const { read, asked } = scene()
    await read('a')
    expect(await read('a', 'b')).toEqual(['a5', 'b5'])
    expect(asked).toEqual([['a'], ['b']])
  })

  it('asks for all fields when one part pushes the other out', async () => {
    const { read } = scene({ max: 1 })
    await read('a')
    expect(await read('a', 'b')).toEqual(['a5', 'b5'])
  })

  it('shares no memory with its input', async () => {
    const { session, read } = scene()
    const bytes = Buffer.from('xxa6').subarray(2)
    session.endWrite(session.beginWrite(fields('a')), 6, [{ serialiser: 'json', bytes }])
    bytes.fill(0)
    expect(await read('a')).toEqual(['a6'])
  })
})

describe('a cached session returns nothing older than it has seen', () => {
  it('when an answer comes after a later write has ended', async () => {
    const { session, write, read, answer } = scene()
    let release: (() => void) | undefined
    const late = session.readThrough(fields('a'), async missing => {
      const old = answer(missing)
      await new Promise<void>(resolve => {
        release = resolve
      })
      return old
    })
    write('a', 'a6')
    release?.()
    await late
    expect(await read('a')).toEqual(['a6'])
  })

  it('when writes of one field end in another order', async () => {
    const { session, state, read } = scene()
    const first = session.beginWrite(fields('a'))
    const second = session.beginWrite(fields('a'))
    Object.assign(state, { version: 7, a: 'a7' })
    session.endWrite(second, 7, [value('a7')])
    session.endWrite(first, 6, [value('a6')])
    expect(await read('a')).toEqual(['a7'])
  })

  it('when an answer shows a write that has not ended: it asks for all fields', async () => {
    const { session, state, read, asked } = scene()
    await read('a', 'b')
    session.beginWrite(fields('b', 'c'))
    Object.assign(state, { version: 6, b: 'b6', c: 'c6' })
    expect(await read('c')).toEqual(['c6'])
    expect(await read('a', 'b')).toEqual(['a5', 'b6'])
    expect(asked).toEqual([['a', 'b'], ['c'], ['a', 'b']]) // the write may be of another process
  })

  it('when a write ends while it asks for another part: it asks for all fields again', async () => {
    const { session, state, read, asked, answer } = scene()
    await read('a')
    const write = session.beginWrite(fields('a', 'b'))
    const values = await session.readThrough(fields('a', 'b'), async missing => {
      const old = answer(missing)
      if (asked.length > 2) return old
      Object.assign(state, { version: 6, a: 'a6', b: 'b6' })
      session.endWrite(write, 6, [value('a6'), value('b6')])
      return old
    })
    expect(values.map(text)).toEqual(['a6', 'b6'])
  })

  it('when another process has written before it asks for a part: it asks for all fields, once', async () => {
    const { state, read, asked } = scene()
    await read('a')
    Object.assign(state, { version: 6, a: 'a6', b: 'b6' })
    expect(await read('a', 'b')).toEqual(['a6', 'b6'])
    expect(await read('a', 'b')).toEqual(['a6', 'b6'])
    expect(asked).toEqual([['a'], ['b'], ['a', 'b']])
  })
})

describe('a write of another process is noticed', () => {
  it('by the version of an answer', async () => {
    const { state, read } = scene()
    await read('a')
    Object.assign(state, { version: 6, a: 'other' })
    await read('b')
    expect(await read('a')).toEqual(['other'])
  })

  it('by the version of an own write', async () => {
    const { state, read, write } = scene()
    await read('a', 'b')
    Object.assign(state, { version: 6, a: 'other' })
    write('b', 'b7')
    expect(await read('a', 'b')).toEqual(['other', 'b7'])
  })

  it('while an own write is under way that may have taken the version that was seen', async () => {
    const { session, state, read } = scene()
    await read('b')
    Object.assign(state, { version: 6, a: 'a6', b: 'b6' }) // by another process
    const reading = session.readThrough(fields('a', 'b'), async missing => {
      const values = missing.map(({ id }) => value(String(state[id])))
      session.beginWrite(fields('c'))
      return { version: state.version, values }
    })
    expect((await reading).map(text)).toEqual(['a6', 'b6'])
    expect(await read('b')).toEqual(['b6'])
  })

  it('once an own write with an earlier version has ended', async () => {
    const { session, state, read } = scene()
    const own = session.beginWrite(fields('c')) // takes version 6
    Object.assign(state, { version: 7, b: 'b7' })
    session.notice(7)
    expect(await read('b')).toEqual(['b7'])
    Object.assign(state, { version: 8, a: 'a8', b: 'b8' })
    expect(await read('a')).toEqual(['a8'])
    session.endWrite(own, 6, [value('c6')])
    expect(await read('b')).toEqual(['b8'])
  })

  it('by any other call that has seen a version', async () => {
    const { session, state, read } = scene()
    await read('a')
    Object.assign(state, { version: 6, a: 'other' })
    session.notice(6)
    expect(await read('a')).toEqual(['other'])
  })

  it('after own writes have ended', async () => {
    const { session, state, read, write } = scene()
    await read('b')
    write('a', 'a6')
    Object.assign(state, { version: 7, b: 'other' })
    session.notice(7)
    expect(await read('b')).toEqual(['other'])
  })

  it('after a write from before a reset has ended', async () => {
    const { session, state, read } = scene()
    const write = session.beginWrite(fields('a'))
    session.reset(9)
    state.version = 9
    await read('b')
    session.endWrite(write, 6, [value('a6')])
    Object.assign(state, { version: 10, b: 'other' })
    session.notice(10)
    expect(await read('b')).toEqual(['other'])
  })

  it('and is not confused with own writes', async () => {
    const { write, read, asked } = scene()
    await read('b')
    for (let n = 0; n < 5; n++) write('a', `a${n}`)
    expect(await read('a', 'b')).toEqual(['a4', 'b5'])
    expect(asked).toEqual([['b']])
  })
})

describe('a write that has failed', () => {
  it('may have been applied, or may still be: the database is asked until another write has succeeded, and for its own fields until they are written again', async () => {
    const { session, state, read, write, asked } = scene()
    await read('a')
    session.failWrite(session.beginWrite(fields('a')))
    expect(await read('a')).toEqual(['a5'])
    Object.assign(state, { version: 6, a: 'late' })
    expect(await read('a')).toEqual(['late'])
    write('b', 'b7')
    await read('a')
    asked.length = 0
    expect(await read('b')).toEqual(['b7'])
    expect(asked).toEqual([])
    state.a = 'later'
    expect(await read('a')).toEqual(['later'])
    write('a', 'a8')
    asked.length = 0
    expect(await read('a', 'b')).toEqual(['a8', 'b7'])
    expect(asked).toEqual([])
  })

  it('is not made up for by a write that began before it failed', async () => {
    const { session, state, read } = scene()
    const before = session.beginWrite(fields('b'))
    session.failWrite(session.beginWrite(fields('a')))
    state.version = 6
    session.endWrite(before, 6, [value('b6')])
    expect(await read('a')).toEqual(['a5'])
    state.a = 'late'
    expect(await read('a')).toEqual(['late'])
  })
})

it('a cached session holds nothing from before a reset', async () => {
  const { session, state, read } = scene()
  await read('a')
  session.reset(9)
  Object.assign(state, { version: 9, a: 'a9' })
  expect(await read('a')).toEqual(['a9'])
})

it('a cached session holds no answer to a question from before a reset, whatever its version', async () => {
  const { session, state, read, answer } = scene()
  await session.readThrough(fields('a'), async missing => {
    const old = answer(missing)
    session.reset(5)
    return old
  })
  state.a = 'late'
  expect(await read('a')).toEqual(['late'])
})

it('a cached session holds values from after a reset', async () => {
  const { session, state, read, write, asked } = scene()
  session.reset(9)
  state.version = 9
  await read('b')
  write('a', 'a10')
  expect(await read('a', 'b')).toEqual(['a10', 'b5'])
  expect(asked).toEqual([['b']])
})
