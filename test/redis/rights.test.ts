import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Backend, CREDS_FIELD } from '../../src/core/backend.js'
import { KeyNames } from '../../src/redis/key-names.js'
import { openConnection } from '../../src/redis/open-connection.js'
import { RedisBackend } from '../../src/redis/redis-backend.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

const LIFE_MS = 60_000
let server: RedisServer
let admin: Redis
/** The backends of a user that loses rights. */
let user: ReturnType<typeof open> extends Promise<infer T> ? T : never
/** The backends of a user that has all rights. */
let other: typeof user
let nowMs = Date.now()
const now = () => nowMs

async function open(name: string) {
  const { connection, release } = await openConnection(
    { redisUrl: server.url.replace('//', `//${name}:secret@`) },
    5000,
  )
  const names = new KeyNames('p')
  const withLife = (ttlMs: number | null): Backend =>
    new RedisBackend({ connection, names, ttlMs, now, release: async () => {} })
  return { mortal: withLife(LIFE_MS), eternal: withLife(null), release }
}

beforeAll(async () => {
  server = await startRedis()
  admin = new Redis(server.url)
  for (const name of ['user', 'other']) await admin.acl('SETUSER', name, 'on', '>secret', '~p:*', '+@all')
  user = await open('user')
  other = await open('other')
})
afterAll(async () => {
  await user.release()
  await other.release()
  admin.disconnect()
  await server.stop()
})

const bytes = (text: string) => Buffer.from(text)
const field = (id: string) => ({ type: 'session', id })
const writes = (text: string) => [
  { ...CREDS_FIELD, bytes: bytes(text) },
  { ...field('a'), bytes: bytes(text) },
  { ...field('gone'), bytes: null },
]
const oldToken = 1000

/** The state before the refused call. */
async function write(sessionId: string, backend: Backend = other.mortal): Promise<void> {
  const first = [...writes('old'), { ...field('gone'), bytes: bytes('old') }].filter(
    ({ bytes }) => bytes !== null,
  )
  await backend.commit(sessionId, { writes: first, operationId: 'first', fencingToken: oldToken })
}

type Act = (backend: typeof user, sessionId: string) => Promise<unknown>
interface Case {
  before: (sessionId: string) => Promise<unknown>
  act: Act
  after: (sessionId: string) => Promise<unknown>
}

const nothing = async () => {}
const commit =
  (life: 'mortal' | 'eternal'): Act =>
  (backend, sessionId) =>
    backend[life].commit(sessionId, { writes: writes('new'), operationId: 'second' })
const expire = async (sessionId: string) => {
  await write(sessionId)
  nowMs += 2 * LIFE_MS
}

async function expectNew(sessionId: string): Promise<void> {
  const { head, fields } = await other.mortal.readAll(sessionId)
  expect(head.exists).toBe(true)
  expect(Object.fromEntries(fields.map(({ type, bytes }) => [type, String(bytes)]))).toEqual({
    creds: 'new',
    session: 'new',
  })
}

async function expectTaken(sessionId: string): Promise<void> {
  const late = other.mortal.commit(sessionId, {
    writes: writes('late'),
    operationId: 'late',
    fencingToken: oldToken,
  })
  await expect(late).rejects.toMatchObject({ code: 'FENCED' })
}

const CASES: Record<string, Case> = {
  'the first write': { before: nothing, act: commit('mortal'), after: expectNew },
  'the first write of a session for ever': { before: nothing, act: commit('eternal'), after: expectNew },
  'the first write after a claim': {
    before: id => other.mortal.claim(id),
    act: commit('mortal'),
    after: expectNew,
  },
  'the first write for ever after a claim': {
    before: id => other.mortal.claim(id),
    act: commit('eternal'),
    after: expectNew,
  },
  'a write': { before: write, act: commit('mortal'), after: expectNew },
  'a write that makes the session last for ever': { before: write, act: commit('eternal'), after: expectNew },
  'a write to an expired session': { before: expire, act: commit('mortal'), after: expectNew },
  'a claim': { before: write, act: ({ mortal }, id) => mortal.claim(id), after: expectTaken },
  'an exclusive claim': {
    before: write,
    act: ({ mortal }, id) => mortal.claim(id, { leaseMs: 1 }),
    after: expectTaken,
  },
  'a claim for ever': { before: write, act: ({ eternal }, id) => eternal.claim(id), after: expectTaken },
  'a claim of no session': { before: nothing, act: ({ mortal }, id) => mortal.claim(id), after: expectTaken },
  'a claim of an expired session': {
    before: expire,
    act: ({ mortal }, id) => mortal.claim(id),
    after: expectTaken,
  },
  'a touch': {
    before: write,
    act: ({ mortal }, id) => mortal.touch(id, 1e6),
    after: id => other.mortal.readAll(id),
  },
  'a touch for ever': {
    before: write,
    act: ({ mortal }, id) => mortal.touch(id, null),
    after: async id => expect(await admin.pttl(`p:{${id}}:creds`)).toBe(-1),
  },
  'a deletion': {
    before: write,
    act: ({ mortal }, id) => mortal.delete(id, { operationId: 'second' }),
    after: async id => {
      expect((await other.mortal.readAll(id)).head.exists).toBe(false)
      await expectTaken(id)
    },
  },
}
const COMMANDS = [
  'hset',
  'hdel',
  'unlink',
  'pexpire',
  'persist',
  'hmget',
  'hget',
  'hlen',
  'exists',
  'time',
  'eval|sha',
]
let sessions = 0

describe.each(Object.entries(CASES))('%s', (name, { before, act, after }) => {
  test.each(COMMANDS)(
    'by a user without %s is done, or refused and not acknowledged, even when it is repeated',
    async command => {
      const sessionId = `s${sessions++}`
      const rights = command === 'eval|sha' ? ['eval', 'evalsha'] : [command]
      const snapshot = async () => {
        const { head, fields } = await other.mortal.readAll(sessionId)
        return { head, fields: fields.map(({ type, id, bytes }) => [type, id, String(bytes)]) }
      }
      await before(sessionId)
      const found = await snapshot()
      const lives = () =>
        Promise.all(['creds', 'keys'].map(part => admin.pexpiretime(`p:{${sessionId}}:${part}`)))
      const lifeBefore = await lives()

      const allow = () => admin.acl('SETUSER', 'user', ...rights.map(right => `+${right}`))
      onTestFinished(async () => void (await allow()))
      await admin.acl('SETUSER', 'user', ...rights.map(right => `-${right}`))
      let isRefused = false
      for (let repeats = 0; repeats < 2; repeats++, nowMs += 10) {
        await act(user, sessionId).catch(error => {
          expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE' })
          expect(error.message).toContain('the user may not run this command')
          isRefused = true
        })
      }
      if (isRefused && name !== 'a deletion') expect(await snapshot()).toEqual(found)
      if (isRefused && lifeBefore.every(at => at === -1)) expect(await lives()).toEqual(lifeBefore)

      await allow()
      await act(user, sessionId)
      await after(sessionId)
    },
  )
})
