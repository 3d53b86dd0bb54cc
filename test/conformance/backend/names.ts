import { describe, expect, test } from 'vitest'
import { type CreateDatabase, deletion, field, openBackends, put, texts } from './harness.js'

/** Names that look like patterns, paths, queries or prefixes of each other, or that look alike. */
export const HOSTILE_NAMES = [
  'a',
  'a:b',
  'a*',
  'a/b',
  'a b',
  'A',
  '../x',
  '%',
  '_',
  '{a}',
  '$set',
  '.',
  "'; DROP TABLE session; --",
  '__proto__',
  'constructor',
  '}',
  '{}',
  '%7D',
  'é',
  'e\u0301',
  '😀',
  '\u202ea',
  '\n',
  'x'.repeat(1024),
]

export function describeNames(create: CreateDatabase): void {
  describe('names', () => {
    test('of sessions are kept apart, whatever they contain', async () => {
      const backend = await (await openBackends(create))()
      for (const name of HOSTILE_NAMES) await put(backend, name, { a: name })
      for (const name of HOSTILE_NAMES) expect(await texts(backend, name, ['a'])).toEqual([name])
      expect((await backend.list(100, undefined)).sessionIds.sort()).toEqual([...HOSTILE_NAMES].sort())
      await backend.delete('a', deletion())
      expect((await backend.list(100, undefined)).sessionIds).toHaveLength(HOSTILE_NAMES.length - 1)
    })

    test('of fields are kept apart, whatever they contain', async () => {
      const backend = await (await openBackends(create))()
      const writes = HOSTILE_NAMES.map(id => ({ ...field(id), bytes: Buffer.from(id) }))
      await backend.commit('s', { writes, operationId: 'one' })
      expect(await texts(backend, 's', HOSTILE_NAMES)).toEqual(HOSTILE_NAMES)
      await backend.commit('s', { writes: [{ ...field('a'), bytes: null }], operationId: 'two' })
      expect(await texts(backend, 's', HOSTILE_NAMES)).toEqual([undefined, ...HOSTILE_NAMES.slice(1)])
      const listed = await backend.listFields('s', 'session')
      expect(listed.map(({ id }) => id).sort()).toEqual(HOSTILE_NAMES.slice(1).sort())
    })
  })

  describe('list', () => {
    test('pages through all sessions once, in a stable order', async () => {
      const backend = await (await openBackends(create))()
      const names = Array.from({ length: 25 }, (_, n) => `bot-${n}`)
      for (const name of names) await put(backend, name, { a: '1' })
      const found: string[] = []
      let cursor: string | undefined
      for (;;) {
        const page = await backend.list(10, cursor)
        expect(page.sessionIds.length).toBeLessThanOrEqual(10)
        found.push(...page.sessionIds)
        if (page.cursor === null) break
        cursor = page.cursor
      }
      expect(found).toHaveLength(25)
      expect([...found].sort()).toEqual([...names].sort())
      expect((await backend.list(10, undefined)).sessionIds).toEqual(found.slice(0, 10))
    })

    test('of fields returns those of one type, or all', async () => {
      const backend = await (await openBackends(create))()
      const fields = [field('1', 'pre-key'), field('2', 'pre-key'), field('1', 'pre'), field('a', 'session')]
      const writes = fields.map(each => ({ ...each, bytes: Buffer.from('x') }))
      await backend.commit('s', { writes, operationId: 'one' })
      expect(await backend.listFields('s', 'pre-key')).toEqual([field('1', 'pre-key'), field('2', 'pre-key')])
      expect(await backend.listFields('s', 'none')).toEqual([])
      const all = await backend.listFields('s', undefined)
      expect(all).toHaveLength(4)
      expect(all).toEqual(expect.arrayContaining(fields))
      expect(await backend.listFields('none', undefined)).toEqual([])
    })
  })

  describe('close', () => {
    test('waits for the calls under way, and refuses later ones', async () => {
      const open = await openBackends(create)
      const backend = await open()
      const writing = Promise.all(Array.from({ length: 20 }, (_, n) => put(backend, 's', { [`k${n}`]: '1' })))
      await backend.close()
      await writing
      expect((await (await open()).readAll('s')).fields).toHaveLength(20)
      const closed = { code: 'CLOSED' }
      await expect(backend.read('s', [])).rejects.toMatchObject(closed)
      await expect(put(backend, 's', { a: '1' })).rejects.toMatchObject(closed)
      await expect(backend.claim('s')).rejects.toMatchObject(closed)
      await expect(backend.list(1, undefined)).rejects.toMatchObject(closed)
      expect(await backend.isHealthy()).toBe(false)
    })

    test('of one backend leaves another on the same database open', async () => {
      const open = await openBackends(create)
      const [one, other] = [await open(), await open()]
      await put(one, 's', { a: '1' })
      await one.close()
      expect(await texts(other, 's', ['a'])).toEqual(['1'])
      expect(await other.isHealthy()).toBe(true)
    })
  })
}
