import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openConnection } from '../../src/sqlite/open-connection.js'
import { SqliteBackend } from '../../src/sqlite/sqlite-backend.js'
import type { BackendDatabase, BackendOptions } from '../conformance/backend/harness.js'

export interface SqliteFile extends BackendDatabase {
  readonly path: string
}

/** A file in a folder of its own. */
export async function createSqliteFile(): Promise<SqliteFile> {
  const folder = await mkdtemp(join(tmpdir(), 'sqlite-'))
  const path = join(folder, 'auth.db')
  return {
    path,
    open: options => openSqliteBackend(path, options),
    remove: () => rm(folder, { recursive: true }),
  }
}

export async function openSqliteBackend(path: string, { ttlMs = null, now = Date.now }: BackendOptions = {}) {
  const { connection, release } = await openConnection({ path })
  return new SqliteBackend({ connection, release, ttlMs, now, busyTimeoutMs: 5000 })
}
