import { join } from 'node:path'
import { useSqliteAuthState } from '@luoarch/baileys-store-core/sqlite'
import { JSON_BYTES } from './envelopes.js'
import { createFiles } from './files.js'
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

/** The peer has none; Baileys' own store needs no server either. */
export const SQLITE = {
  raw: (place: Place) => createRawSqlite(place),
  json: (place: Place) => createRawSqlite(place, JSON_BYTES),
  plain: ours('plain'),
  encrypted: ours('encrypted'),
  compressed: ours('compressed'),
  cached: ours('cached'),
  files: (place: Place) => createFiles('files', place),
  'files, cached': (place: Place) => createFiles('files, cached', place),
}
