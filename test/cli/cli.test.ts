import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initAuthCreds, useMultiFileAuthState } from '@whiskeysockets/baileys'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createSqliteStore } from '../../src/sqlite/index.js'
import { begin, call, parseLines, type Variables } from './command-line.js'

const KEY = 'a1'.repeat(32)
const SEALED: Variables = { BAILEYS_MASTER_KEY: KEY }
const PAIRED = { ...initAuthCreds(), registrationId: 7, me: { id: '15550001234:1@s.whatsapp.net' } }

async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), 'cli-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'auth.db')
  const store = ['--store', `sqlite:${path}`]
  /** Sessions that are there already. */
  const fill = async (...names: string[]) => {
    const filled = await createSqliteStore({ path, masterKey: KEY })
    for (const name of names) {
      await filled.set(name, { creds: PAIRED, keys: { session: { a: Buffer.from(name), b: 2 } } })
    }
    await filled.close()
  }
  const look = async <T>(
    at: string,
    action: (store: Awaited<ReturnType<typeof createSqliteStore>>) => Promise<T>,
  ) => {
    const opened = await createSqliteStore({ path: at, masterKey: KEY })
    return action(opened).finally(() => opened.close())
  }
  const names = (at = path) =>
    look(at, async opened => {
      const found: string[] = []
      for await (const { sessionId } of opened.sessions()) found.push(sessionId)
      return found.sort()
    })
  return { folder, path, store, fill, look, names }
}

/** A folder as Baileys writes it. */
async function pairFolder(folder: string) {
  const auth = join(folder, 'auth_info')
  const { state, saveCreds } = await useMultiFileAuthState(auth)
  Object.assign(state.creds, { me: PAIRED.me, registered: true })
  await state.keys.set({ 'pre-key': { 1: { public: Buffer.alloc(32, 1), private: Buffer.alloc(32, 2) } } })
  await saveCreds()
  return auth
}

describe('the command line', () => {
  test.each([[[]], [['--help']]])('tells its commands: %j', async args => {
    const { code, stdout, stderr } = await call(args)
    expect([code, stderr]).toEqual([0, ''])
    for (const name of ['list', 'describe', 'import', 'copy', 'delete', 'restore', 'purge']) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
    }
  })

  test('tells the options of a command, and its version', async () => {
    const [help, version] = await Promise.all([call(['copy', '--help']), call(['--version'])])
    expect([help.code, version.code]).toEqual([0, 0])
    expect(help.stdout).toContain('--to-key-env NAME')
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+/)
  })

  test.each([
    ['an unknown command', ['lst']],
    ['the name of a method of objects', ['constructor']],
    ['an unknown option', ['list', '--store', 'sqlite:x', '--deletd']],
    ['an option without its value', ['list', '--store']],
    ['no store', ['list']],
    [
      'two stores',
      ['list', '--store', 'sqlite:x', '--redis', 'redis://localhost', '--mongo', 'mongodb://localhost/x'],
    ],
    ['half of a hybrid store', ['list', '--redis', 'redis://localhost']],
    ['a store of an unknown kind', ['list', '--store', 'mysql://u:secret@localhost']],
    ['a SQLite file that is not there', ['list', '--store', 'sqlite:none.db']],
    ['no session', ['describe', '--store', 'sqlite:none.db']],
    ['two sessions where one is asked for', ['describe', 'a', 'b', '--store', 'sqlite:none.db']],
    ['a session where none is asked for', ['list', 'a', '--store', 'sqlite:none.db']],
    ['days that are no number', ['list', '--store', 'sqlite:none.db', '--idle-days', 'x']],
    ['a source of an unknown kind', ['import', 'a', '--from', 'folder', '--store', 'sqlite:none.db']],
    ['a variable that is not set', ['list', '--store', 'sqlite:none.db', '--key-env', 'NONE']],
    ['a file of keys that is not there', ['list', '--store', 'sqlite:none.db', '--key-file', 'none']],
  ])('refuses %s with exit code 2, and writes nothing', async (_, args) => {
    const { code, stdout, stderr } = await call(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).not.toContain('secret')
    expect(stderr.trim()).not.toBe('')
    expect(existsSync('none.db')).toBe(false)
  })

  test('an outage is exit code 1, with the code of the library and without the password', async () => {
    const { code, stderr } = await call(['list', '--store', 'redis://u:secret@127.0.0.1:1'])
    expect(code).toBe(1)
    expect(stderr).toContain('STORE_UNAVAILABLE')
    expect(stderr).not.toContain('secret')
  })
})

describe('list and describe', () => {
  test('show sessions by their heads alone, as text or as one object a line', async () => {
    const { store, fill } = await setUp()
    await fill('one', 'two')
    const [asText, asJson, one] = await Promise.all([
      call(['list', ...store]),
      call(['list', ...store, '--json']),
      call(['describe', 'one', ...store]),
    ])
    expect([asText, asJson, one].map(({ code, stderr }) => [code, stderr])).toEqual(Array(3).fill([0, '']))
    expect(asText.stdout.split('\n').map(line => line.split(/ +/)[0])).toEqual(['one', 'two', ''])
    expect(parseLines(asJson)).toMatchObject([
      { sessionId: 'one', isPaired: true, version: 1 },
      { sessionId: 'two', isPaired: true },
    ])
    expect(one.stdout).toMatch(/^paired +paired$/m)
  })

  test('a session that is not there is exit code 1', async () => {
    const { store, fill } = await setUp()
    await fill('one')
    expect(await call(['describe', 'two', ...store])).toMatchObject({ code: 1, stdout: '' })
  })
})

describe('import', () => {
  test("takes a folder of Baileys' own, and seals it", async () => {
    const { folder, path, store, look } = await setUp()
    const from = ['--from', `multi-file:${await pairFolder(folder)}`]
    const dry = await call(['import', 'bot', ...from, ...store, '--dry-run'])
    expect([dry.code, existsSync(path)]).toEqual([2, false]) // there is no such file to look into
    const { code, stdout, stderr } = await call(['import', 'bot', ...from, ...store], SEALED)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^imported bot, paired\n/)
    expect(stdout).toMatch(/pre-key +1 /)
    expect((await look(path, opened => opened.get('bot')))?.data.creds).toMatchObject({ me: PAIRED.me })
    const again = await call(['import', 'bot', ...from, ...store], SEALED)
    expect(again).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('VERSION_MISMATCH') })
    const over = await call(['import', 'bot', ...from, ...store, '--replace', '--json'], SEALED)
    expect([over.code, parseLines(over)]).toMatchObject([0, [{ sessionId: 'bot', isPaired: true }]])
  })

  test('without a key writes only if it is told to', async () => {
    const { folder, path, store } = await setUp()
    const from = ['--from', `multi-file:${await pairFolder(folder)}`]
    expect(await call(['import', 'bot', ...from, ...store])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--unencrypted'),
    })
    expect(existsSync(path)).toBe(false)
    expect((await call(['import', 'bot', ...from, ...store, '--unencrypted'])).code).toBe(0)
  })

  test('of a damaged folder is exit code 1, and leaves no session', async () => {
    const { folder, store, names } = await setUp()
    const auth = await pairFolder(folder)
    await writeFile(join(auth, 'creds.json'), '{"noiseKey":')
    const { code, stdout, stderr } = await call(
      ['import', 'bot', '--from', `multi-file:${auth}`, ...store],
      SEALED,
    )
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('CORRUPT_VALUE')
    expect(await names()).toEqual([])
  })
})

describe('delete, restore and purge', () => {
  test('ask first, and without a terminal need --yes', async () => {
    const { store, fill, names } = await setUp()
    await fill('one', 'two')
    expect(await call(['delete', 'one', ...store])).toMatchObject({ code: 2, stdout: '' })
    expect((await call(['purge', 'one', ...store, '--dry-run'])).code).toBe(0)
    expect(await names()).toEqual(['one', 'two'])
    const deleted = await call(['delete', 'one', 'two', ...store, '--yes', '--json'])
    expect(parseLines(deleted).map(({ sessionId }) => sessionId)).toEqual(['one', 'two'])
    expect(await names()).toEqual([])
    const kept = await call(['list', ...store, '--deleted', '--json'])
    expect(parseLines(kept).map(({ sessionId }) => sessionId)).toEqual(['one', 'two'])
    expect((await call(['restore', 'one', ...store], SEALED)).code).toBe(0)
    expect((await call(['purge', 'two', ...store, '--yes'])).code).toBe(0)
    expect(await call(['restore', 'two', ...store], SEALED)).toMatchObject({ code: 1, stdout: '' })
    expect(await names()).toEqual(['one'])
  })

  test.each(['007', '1e3', '0x10'])('take the name of a session as it is: %s', async name => {
    const { store, fill, names } = await setUp()
    const other = `${Number(name)}`
    await fill(name, other, '-x')
    expect((await call(['delete', '--yes', name, ...store])).code).toBe(0)
    expect((await call(['delete', '--yes', ...store, '--', '-x'])).code).toBe(0)
    expect(await names()).toEqual([other])
  })
})

describe('copy', () => {
  test('copies all sessions, passes over those that are there, and tells those that fail', async () => {
    const { folder, path, fill, look, names } = await setUp()
    await fill('one', 'two', 'three')
    const to = join(folder, 'other.db')
    const both = ['--from', `sqlite:${path}`, '--to', `sqlite:${to}`]
    const first = await call(['copy', 'one', ...both], SEALED)
    expect([first.code, first.stderr]).toEqual([0, ''])
    await look(path, opened => opened.set('broken', { creds: PAIRED }))
    const { default: Database } = await import('libsql')
    const database = new Database(path)
    database.prepare("UPDATE field SET bytes = X'00' WHERE session_id = 'broken'").run()
    database.close()
    const dry = await call(['copy', ...both, '--dry-run', '--json'], SEALED)
    expect(await names(to)).toEqual(['one'])
    expect(new Map(parseLines(dry).map(({ sessionId, outcome }) => [sessionId, outcome]))).toEqual(
      new Map([
        ['broken', 'would copy'],
        ['one', 'there already'],
        ['three', 'would copy'],
        ['two', 'would copy'],
      ]),
    )
    const all = await call(['copy', ...both], SEALED)
    expect(all.code).toBe(1)
    expect(all.stderr).toContain('CORRUPT_VALUE')
    expect(await names(to)).toEqual(['one', 'three', 'two'])
    for (const name of ['one', 'two', 'three']) {
      const [before, after] = await Promise.all([path, to].map(at => look(at, opened => opened.get(name))))
      expect(after?.data).toEqual(before?.data)
    }
  })

  test('seals under another key, and needs the right one to read', async () => {
    const { folder, path, fill } = await setUp()
    await fill('one')
    const to = join(folder, 'other.db')
    const both = [
      '--from',
      `sqlite:${path}`,
      '--to',
      `sqlite:${to}`,
      '--from-key-env',
      'OLD',
      '--to-key-env',
      'NEW',
    ]
    const other = 'b2'.repeat(32)
    const wrong = await call(['copy', ...both], { OLD: other, NEW: other })
    expect([wrong.code, wrong.stdout]).toEqual([1, ''])
    expect((await call(['copy', ...both], { OLD: KEY, NEW: other })).code).toBe(0)
    const opened = await createSqliteStore({ path: to, masterKey: other })
    expect((await opened.get('one'))?.data.creds).toMatchObject({ me: PAIRED.me })
    await opened.close()
  })

  test('ends at SIGINT between two values, says how it goes on, and does', async () => {
    const { folder, path, fill, names } = await setUp()
    const all = Array.from({ length: 300 }, (_, n) => `bot-${n}`).sort()
    await fill(...all)
    const to = join(folder, 'other.db')
    const args = ['copy', '--from', `sqlite:${path}`, '--to', `sqlite:${to}`, '--concurrency', '1']
    const { child, ended } = begin(args, SEALED)
    child.stdout?.once('data', () => child.kill('SIGINT'))
    const { code, stderr } = await ended
    expect(code).toBe(1)
    expect(stderr).toContain('The same command goes on')
    const done = await names(to)
    expect(done.length).toBeLessThan(all.length)
    expect((await call(args, SEALED)).code).toBe(0)
    expect(await names(to)).toEqual(all)
  })
})
