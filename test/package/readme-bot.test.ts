import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type FakeWhatsApp, startFakeWhatsApp } from '../support/fake-whatsapp/index.js'
import { PackedPackage } from './installed-package.js'

const ROOT = resolve(import.meta.dirname, '../..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const ACCOUNT = { pn: '15550000001', lid: '100000000000001' }
const QR = /^QR code: (\S+)$/
/** The wait for an event, on a machine that may be busy. */
const PATIENT = { timeout: 60_000 }

let packed: PackedPackage
let installed: string

beforeAll(async () => {
  packed = await PackedPackage.pack()
  installed = await packed.install('readme', [
    'libsql',
    '@whiskeysockets/baileys@7.0.0-rc14',
    'qrcode-terminal',
  ])
}, 300_000)

afterAll(() => packed?.remove())

const readExample = (name: string) => readFileSync(join(ROOT, 'examples', name), 'utf8')

test('examples/bot.mjs is the bot of README.md, and bot.cjs the same for CommonJS', () => {
  const bot = /^```js\n([\s\S]*?)^```$/m.exec(README)?.[1] ?? ''
  expect(readExample('bot.mjs')).toBe(bot)
  const required = bot.replace(/^import (\{.*\}|\w+) from ('.*')$/gm, 'const $1 = require($2)')
  expect(readExample('bot.cjs')).toBe(required)
})

test('examples/bot.ts is the bot of README.md with types', () => {
  const withoutTypes = (text: string) =>
    ts.transpile(text, { target: ts.ScriptTarget.ES2022 }).replaceAll(', }', ' }')
  expect(withoutTypes(readExample('bot.ts'))).toBe(withoutTypes(readExample('bot.mjs')))
})

test('README.md says how to install this release', () => {
  const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  expect(README).toContain(`npm install ${name}@${version} `)
})

describe.each(['bot.mjs', 'bot.cjs'])("README's bot as %s", form => {
  async function setUp() {
    const server = await startFakeWhatsApp({ claimedPreKeys: 5 })
    const folder = await mkdtemp(join(installed, 'bot-'))
    const program = join(folder, form)
    await writeFile(program, readExample(form))
    onTestFinished(() => server.close())
    const start = () => {
      const bot = new BotOfReadme(server, program, folder)
      onTestFinished(() => bot.kill())
      return bot
    }
    const loggedIn = (times: number) => expect.poll(() => server.stats.logins, PATIENT).toBe(times)
    return { server, start, loggedIn }
  }

  test('pairs, restarts as WhatsApp asks (515), stops on SIGTERM and comes back without a QR code', async () => {
    const { server, start, loggedIn } = await setUp()
    const first = start()
    await loggedIn(1)
    expect(first.qrCodes).toBe(1)
    expect(await first.stop('SIGTERM')).toBe(0)
    const second = start()
    await loggedIn(2)
    expect(second.qrCodes).toBe(0)
    expect(server.stats.pairings).toBe(1)
    expect(await second.stop('SIGINT')).toBe(0)
  })

  test('reconnects when its connection is lost', async () => {
    const { server, start, loggedIn } = await setUp()
    const bot = start()
    await loggedIn(1)
    server.drop(ACCOUNT)
    await loggedIn(2)
    server.drop(ACCOUNT)
    await loggedIn(3)
    expect(bot.qrCodes).toBe(1)
  })

  test('pairs anew when it was unlinked (401)', async () => {
    const { server, start, loggedIn } = await setUp()
    const bot = start()
    await loggedIn(1)
    server.dismiss(ACCOUNT, 401)
    await expect.poll(() => server.stats.pairings, PATIENT).toBe(2)
    await loggedIn(2)
    expect(bot.qrCodes).toBe(2)
    expect(await bot.stop('SIGTERM')).toBe(0)
    start()
    await loggedIn(3)
    expect(server.stats.pairings).toBe(2)
  })

  test('gives way to a second process with its session (440)', async () => {
    const { start, loggedIn } = await setUp()
    const first = start()
    await loggedIn(1)
    const second = start()
    await loggedIn(2)
    expect(await first.exited).toBe(0)
    expect(first.errors).toContain('The bot stops: another process')
    expect(second.qrCodes).toBe(0)
    expect(await second.stop('SIGTERM')).toBe(0)
  })

  test('stops when its account is blocked (403)', async () => {
    const { server, start, loggedIn } = await setUp()
    const bot = start()
    await loggedIn(1)
    server.dismiss(ACCOUNT, 403)
    expect(await bot.exited).toBe(0)
    expect(bot.errors).toContain('blocked')
  })
})

/** A process that runs the page's bot, whose QR codes are scanned. */
class BotOfReadme {
  qrCodes = 0
  errors = ''
  readonly exited: Promise<number | null>
  readonly #process: ChildProcess

  constructor(server: FakeWhatsApp, program: string, folder: string) {
    const preloads = ['to-fake-whatsapp.mjs', 'print-qr.mjs'].flatMap(name => [
      '--import',
      join(installed, name),
    ])
    const env = { ...process.env, WA_URL: server.url, BAILEYS_MASTER_KEY: 'c3'.repeat(32) }
    const child = spawn(process.execPath, [...preloads, program], { cwd: folder, env, stdio: 'pipe' })
    this.#process = child
    this.exited = once(child, 'exit').then(([code]) => code as number | null)
    child.stderr.on('data', chunk => {
      this.errors += String(chunk)
    })
    createInterface({ input: child.stdout }).on('line', line => {
      const qr = QR.exec(line)?.[1]
      if (qr === undefined) return
      this.qrCodes++
      server.scan(qr, ACCOUNT)
    })
  }

  stop(signal: NodeJS.Signals): Promise<number | null> {
    this.#process.kill(signal)
    return this.exited
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode === null) this.#process.kill('SIGKILL')
    await this.exited
  }
}
