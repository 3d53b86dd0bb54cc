import { randomUUID } from 'node:crypto'
import { expect, onTestFinished } from 'vitest'
import type { Durability, Field } from '../../../src/core/auth-store.js'
import type {
  Backend,
  Commit,
  CommitResult,
  Deletion,
  Guard,
  SnapshotResult,
} from '../../../src/core/backend.js'
import type { SessionMemory } from '../../../src/core/store/session-memory.js'
import type { StoreErrorCode } from '../../../src/index.js'

export interface BackendOptions {
  /** Default `null`: for ever. */
  ttlMs?: number | null | undefined
  now?: (() => number) | undefined
  /** The memory of the store above it, for a backend that remembers more than one call. */
  memory?: SessionMemory | undefined
}

/** A fresh database; backends opened on it share what is in it. */
export interface BackendDatabase {
  /** The durability of its acknowledged writes; default `durable`. */
  durability?: Durability
  open(options?: BackendOptions): Promise<Backend>
  remove(): Promise<void>
}

export type CreateDatabase = () => Promise<BackendDatabase>

/** Backends on one fresh database, all closed after the test. */
export async function openBackends(
  create: CreateDatabase,
): Promise<(options?: BackendOptions) => Promise<Backend>> {
  const database = await create()
  const opened: Backend[] = []
  onTestFinished(async () => {
    await Promise.all(opened.map(backend => backend.close()))
    await database.remove()
  })
  return async options => {
    const backend = await database.open(options)
    opened.push(backend)
    return backend
  }
}

export const DAY_MS = 24 * 60 * 60 * 1000

/** A clock that stands still until it is moved. */
export class Clock {
  nowMs = Date.UTC(2030, 0, 1)
  readonly now = (): number => this.nowMs

  advance(ms: number): void {
    this.nowMs += ms
  }
}

export const field = (id: string, type = 'session'): Field => ({ type, id })

/** `null` deletes. */
export function put(
  backend: Backend,
  sessionId: string,
  values: Record<string, string | null>,
  guard: Partial<Commit> = {},
): Promise<CommitResult> {
  const writes = Object.entries(values).map(([id, text]) => ({
    ...field(id),
    bytes: text === null ? null : Buffer.from(text),
  }))
  return backend.commit(sessionId, { writes, operationId: randomUUID(), ...guard })
}

/** A deletion with an operation id of its own. */
export const deletion = (guard: Guard = {}): Deletion => ({ operationId: randomUUID(), ...guard })

/** The values of the ids, in order. */
export async function texts(
  backend: Backend,
  sessionId: string,
  ids: string[],
): Promise<(string | undefined)[]> {
  const { values } = await backend.read(
    sessionId,
    ids.map(id => field(id)),
  )
  return values.map(bytes => (bytes === undefined ? undefined : Buffer.from(bytes).toString()))
}

/** The whole session in a form that can be compared. */
export async function snapshot(backend: Backend, sessionId: string): Promise<unknown> {
  const { head, fields }: SnapshotResult = await backend.readAll(sessionId)
  const rows = fields.map(({ type, id, bytes }) =>
    [type, id, Buffer.from(bytes).toString('base64')].join(' '),
  )
  return { head, fields: rows.sort() }
}

/** The call is refused with that code, and the session is unchanged. */
export async function expectRefusal(
  backend: Backend,
  sessionId: string,
  code: StoreErrorCode,
  call: () => Promise<unknown>,
): Promise<void> {
  const before = await snapshot(backend, sessionId)
  await expect(call()).rejects.toMatchObject({ code })
  expect(await snapshot(backend, sessionId)).toEqual(before)
}
