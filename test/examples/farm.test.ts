import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { createRedisStore } from '../../src/redis/index.js'
import { ALICE, jidOf } from '../support/conversation.js'
import { KEEPS_ALL, startRedis } from '../support/redis/redis-server.js'
import { setScene } from '../support/scene.js'
import { sessionsOf } from '../support/sessions-of.js'
import { quietLibsignal } from '../support/silence.js'
import { TYPESCRIPT } from '../support/typescript.js'

const ROOT = resolve(import.meta.dirname, '../..')
const MASTER_KEY = 'c3'.repeat(32)
const BOTS = 20
/** The wait for an event, on a machine that may be busy. */
const PATIENT = { timeout: 120_000, interval: 50 }

const speakAgain = quietLibsignal()
afterAll(speakAgain)

test('examples/farm.mjs hands 20 bots over to a second process: no message is lost, and none sees a 440', async () => {
  const redis = await startRedis({ config: KEEPS_ALL })
  const authModule = new URL('../support/redis/redis-auth.ts', import.meta.url).href
  const authOf = (sessionId: string) => {
    const prefix = sessionId === 'alice' ? 'baileys:alice' : undefined // else the farm would open her session
    const options = { masterKey: MASTER_KEY, ...(prefix && { prefix }) }
    return { authModule, authOptions: { sessionId, servers: { url: redis.url }, redis: options } }
  }
  const scene = await setScene(authOf, { claimedPreKeys: 5 })
  const { server } = scene
  const farms: Farm[] = []
  const store = await createRedisStore({ redisUrl: redis.url, masterKey: MASTER_KEY })
  onTestFinished(async () => {
    for (const farm of farms) farm.kill()
    await scene.end()
    await store.close()
    await redis.stop()
  })
  const start = (name: string): Farm => {
    const farm = new Farm(name, { WA_URL: server.url, REDIS_URL: redis.url, BAILEYS_MASTER_KEY: MASTER_KEY })
    farms.push(farm)
    return farm
  }

  const accounts = Array.from({ length: BOTS }, (_, n) => ({
    pn: `1556000${1000 + n}`,
    lid: `2000000${1000 + n}`,
  }))
  for (const [n, account] of accounts.entries()) await (await scene.start(account, `bot-${n}`)).stop()
  const alice = await scene.start(ALICE, 'alice')
  const ownersOf = async () => {
    const infos = await sessionsOf(store, { pairedOnly: true })
    return infos.map(({ owner }) => (owner?.leaseEndsAt ? owner.label : undefined))
  }
  const all = (label: string) => Array.from({ length: BOTS }, () => label)
  const sent: string[] = []
  const sendToAll = async (text: string) => {
    for (const [n, account] of accounts.entries()) {
      await alice.send(jidOf(account), text)
      sent.push(`bot-${n} got: ${text}`)
    }
  }
  const got = () => farms.flatMap(farm => farm.lines).sort()

  const first = start('worker-1')
  await expect.poll(ownersOf, PATIENT).toEqual(all('worker-1'))
  await sendToAll('before')
  await expect.poll(got, PATIENT).toEqual([...sent].sort())

  start('worker-2')
  const sending = sendToAll('meanwhile')
  expect(await first.stop()).toBe(0)
  await sending
  await expect.poll(ownersOf, PATIENT).toEqual(all('worker-2'))
  await sendToAll('after')
  await expect.poll(got, PATIENT).toEqual([...sent].sort())
  expect(server.stats.conflicts).toBe(0)
  expect(farms.map(farm => farm.errors)).toEqual(['', ''])
}, 600_000)

/** A process that runs the example. */
class Farm {
  readonly lines: string[] = []
  errors = ''
  readonly #process: ChildProcess

  constructor(name: string, env: Record<string, string>) {
    const preload = resolve(ROOT, 'test/package/consumer/to-fake-whatsapp.mjs')
    const child = spawn(process.execPath, [...TYPESCRIPT, '--import', preload, 'examples/farm.mjs'], {
      cwd: ROOT,
      env: { ...process.env, ...env, WORKER_NAME: name },
      stdio: 'pipe',
    })
    this.#process = child
    child.stderr.on('data', chunk => {
      this.errors += String(chunk)
    })
    createInterface({ input: child.stdout }).on('line', line => {
      if (/^bot-\d+ got: /.test(line)) this.lines.push(line)
    })
  }

  /** Resolves with the exit code. */
  async stop(): Promise<number | null> {
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    const [code] = await exited
    return code
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }
}
