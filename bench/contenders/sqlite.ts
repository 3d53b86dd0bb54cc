import { join } from 'node:path'
import { useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'
import { createOurs, type OurName, toOptions } from './ours.js'
import type { Place } from './place.js'
import { createRawSqlite } from './raw-sqlite.js'

const ours = (name: OurName) => (place: Place) =>
  createOurs(name, sessionId =>
    useSqliteAuthState({
      sessionId,
      sqlite: { path: join(place.folder, `${name}.db`), ...toOptions(name) },
    }),
  )

/** The peer has none. */
export const SQLITE = {
  raw: createRawSqlite,
  plain: ours('plain'),
  encrypted: ours('encrypted'),
  compressed: ours('compressed'),
  cached: ours('cached'),
}
