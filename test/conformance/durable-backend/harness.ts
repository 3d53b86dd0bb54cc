import { onTestFinished } from 'vitest'
import type { FieldWrite } from '../../../src/core/backend.js'
import type { Application, Applied, DurableBackend } from '../../../src/core/durable-backend.js'
import type { BackendOptions } from '../backend/harness.js'

export interface DurableDatabase {
  open(options?: BackendOptions): Promise<DurableBackend>
  remove(): Promise<void>
}

export type CreateDurableDatabase = () => Promise<DurableDatabase>

export const write = (id: string, text: string): FieldWrite => ({
  type: 'session',
  id,
  bytes: Buffer.from(text),
})

interface Given {
  kind?: Application['kind']
  token?: number
  /** The operation id, by default named after the version. */
  operation?: string
}

export async function openDurable(create: CreateDurableDatabase, options: BackendOptions = {}) {
  const database = await create()
  const backend = await database.open(options)
  onTestFinished(async () => {
    await backend.close()
    await database.remove()
  })

  /** Applies writes to the session `s` under versions that another database has assigned. */
  const apply = (version: number, values: Record<string, string>, given: Given = {}): Promise<Applied> => {
    const { kind = 'fields', token = 0, operation = `op${version}` } = given
    const operations = [{ id: operation, version, updatedAtMs: options.now?.() ?? Date.now() }]
    const writes = Object.entries(values).map(([id, text]) => write(id, text))
    return backend.apply('s', { version, fencingToken: token, operations, kind }, writes)
  }

  /** The session's version and its values by id. */
  const read = async (): Promise<Record<string, unknown>> => {
    const { head, fields } = await backend.readAll('s')
    const values = fields.map(({ id, bytes }) => [id, Buffer.from(bytes).toString()])
    return { version: head.version, ...Object.fromEntries(values) }
  }

  return { database, backend, apply, read }
}
