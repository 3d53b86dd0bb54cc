import { describe, expect, test } from 'vitest'
import { Clock } from '../backend/harness.js'
import { type CreateDurableDatabase, openDurable, write } from './harness.js'

export function describeWholeSessions(create: CreateDurableDatabase): void {
  describe('a whole session', () => {
    test('is read with everything that another database needs to continue it', async () => {
      const clock = new Clock()
      const { apply, backend } = await openDurable(create, { ttlMs: 1000, now: clock.now })
      const vacant = await backend.readWhole('s')
      expect(vacant).toMatchObject({
        isVacant: true,
        fields: [],
        ops: '',
        head: { exists: false, version: 0 },
      })
      await apply(3, { a: 'three', b: 'three' }, { kind: 'session' })
      await apply(4, { a: 'four' })
      const { fields, ops, ...whole } = await backend.readWhole('s')
      expect(whole).toMatchObject({
        isVacant: false,
        head: { exists: true, version: 4 },
        endsAtMs: clock.nowMs + 1000,
      })
      expect(ops.split('\n').map(line => line.split(' ')[0])).toEqual(expect.arrayContaining(['op3', 'op4']))
      expect(fields.map(({ id, bytes }) => `${id} ${Buffer.from(bytes)}`).sort()).toEqual([
        'a four',
        'b three',
      ])
    })

    test('is read with its fields when it has expired, and without them when it was deleted', async () => {
      const clock = new Clock()
      const { apply, backend } = await openDurable(create, { ttlMs: 1000, now: clock.now })
      await apply(3, { a: 'three' }, { kind: 'session' })
      clock.advance(1001)
      const expired = await backend.readWhole('s')
      expect(expired).toMatchObject({ isVacant: false, head: { exists: false } })
      expect(expired.fields).toHaveLength(1)
      await apply(4, {}, { kind: 'deletion' })
      expect(await backend.readWhole('s')).toMatchObject({ isVacant: true, fields: [] })
    })
  })

  describe('versions and tokens that another database may have assigned', () => {
    test('are lower than those of a write and of a deletion with a step', async () => {
      const { apply, backend } = await openDurable(create)
      await apply(1, { a: 'one' }, { kind: 'session' })
      const commit = { operationId: 'far', writes: [write('a', 'far')], step: 1000 }
      expect(await backend.commit('s', commit)).toMatchObject({ version: 1001 })
      expect(await backend.delete('s', { operationId: 'end', step: 1000 })).toMatchObject({ version: 2001 })
    })

    test('are lower than the token of a claim after them', async () => {
      const { backend } = await openDurable(create)
      const after = Date.now() + 1_000_000_000
      expect((await backend.claimAfter('s', {}, after)).fencingToken).toBe(after + 1)
      const { fencingToken } = await backend.claimAfter('s', {}, 0)
      expect(fencingToken).toBe(after + 2)
    })
  })

  test('the highest version of the fields is known with or without a head', async () => {
    const { apply, backend } = await openDurable(create)
    expect(await backend.highestVersion('s')).toBe(0)
    await apply(3, { a: 'three' }, { kind: 'session' })
    await apply(5, { b: 'five' })
    expect(await backend.highestVersion('s')).toBe(5)
    expect(await backend.highestVersion('s2')).toBe(0)
  })

  test('a write that could never be stored is refused without asking the server', async () => {
    const { backend } = await openDurable(create)
    const long = { type: 'session', id: 'x'.repeat(1024), bytes: Buffer.from('x') }
    expect(() => backend.checkWrites('s', [write('a', 'one')])).not.toThrow()
    expect(() => backend.checkWrites('s'.repeat(2600), [long])).toThrow()
  })
}
