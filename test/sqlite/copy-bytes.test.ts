import { expect, test, vi } from 'vitest'
import { createSqliteStore } from '../../src/sqlite/index.js'
import { createSqliteFile, withDatabase } from '../support/sqlite-database.js'

const SESSION = {
  creds: { registrationId: 7, me: { id: '15550001234:1@s.whatsapp.net' } },
  keys: { session: { a: 'a' } },
}

test.each([undefined, { defaultTtl: 0 }])(
  'the opening of any session removes a copy at its end, whatever the life of a session: %j',
  async ttl => {
    vi.useFakeTimers({ toFake: ['Date'] }) // the store takes its clock when it opens
    const file = await createSqliteFile()
    const store = await createSqliteStore({
      path: file.path,
      trash: { keepSeconds: 100 },
      ...(ttl && { ttl }),
    })
    const count = () =>
      withDatabase(file.path, database => database.prepare('SELECT count(*) AS n FROM field').get())
    try {
      await store.set('s', SESSION)
      await store.delete('s')
      expect(await count()).toMatchObject({ n: 3 }) // and the note
      vi.setSystemTime(Date.now() + 99_000)
      await store.claim('other')
      expect(await count()).toMatchObject({ n: 3 })
      vi.setSystemTime(Date.now() + 61_000)
      await store.claim('other')
      expect(await count()).toMatchObject({ n: 0 })
    } finally {
      vi.useRealTimers()
      await store.close()
      await file.remove()
    }
  },
)
