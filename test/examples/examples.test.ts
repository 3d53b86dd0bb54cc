import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { startRedis } from '../support/redis/redis-server.js'
import { TYPESCRIPT } from '../support/typescript.js'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')

const TWO_SESSIONS = ['first is at version 3 with 1 key', 'second is at version 3 with 1 key']

async function runExample(name: string, env: Record<string, string>) {
  const { stdout, stderr } = await run(process.execPath, [...TYPESCRIPT, `examples/${name}`], {
    cwd: root,
    env: { ...process.env, ...env, BAILEYS_MASTER_KEY: 'c3'.repeat(32) },
  })
  return { lines: stdout.trim().split('\n').sort(), stderr }
}

test('examples/redis.mjs keeps two sessions in Redis and deletes them again', async () => {
  const server = await startRedis({ config: ['--appendonly', 'yes', '--save', ''] })
  onTestFinished(() => server.stop())
  expect(await runExample('redis.mjs', { REDIS_URL: server.url })).toEqual({
    lines: TWO_SESSIONS,
    stderr: '',
  })
})

test('examples/mongodb.mjs keeps two sessions in MongoDB and deletes them again', async () => {
  const server = await startMongo()
  onTestFinished(() => server.stop())
  expect(await runExample('mongodb.mjs', { MONGODB_URL: server.url })).toEqual({
    lines: TWO_SESSIONS,
    stderr: '',
  })
}, 240_000)
