import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSqliteStore } from '../../src/sqlite/index.js'
import { describeBaileys } from './baileys-suite.js'

const AUTH_MODULE = new URL('../support/sqlite-auth.ts', import.meta.url).href
const MASTER_KEY = '5e'.repeat(32)

describeBaileys('SQLite, encrypted and compressed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sqlite-e2e-'))
  const sqlite = {
    path: join(folder, 'auth.db'),
    masterKey: MASTER_KEY,
    security: { enableCompression: true },
  }
  return {
    authOf: (sessionId, options) => ({
      authModule: AUTH_MODULE,
      authOptions: { sessionId, sqlite, ...options },
    }),
    openStore: () => createSqliteStore(sqlite),
    remove: () => rm(folder, { recursive: true }),
  }
})
