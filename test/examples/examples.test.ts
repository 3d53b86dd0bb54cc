import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { startRedis } from '../support/redis/redis-server.js'
import { TYPESCRIPT } from '../support/typescript.js'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')

test('examples/redis.ts keeps two sessions in Redis and takes them away again', async () => {
  const server = await startRedis({ config: ['--appendonly', 'yes', '--save', ''] })
  onTestFinished(() => server.stop())
  const env = { ...process.env, REDIS_URL: server.url, BAILEYS_MASTER_KEY: 'c3'.repeat(32) }
  const { stdout, stderr } = await run(process.execPath, [...TYPESCRIPT, 'examples/redis.ts'], {
    cwd: root,
    env,
  })
  expect(stdout.trim().split('\n').sort()).toEqual([
    'first is at version 3 with 1 key',
    'second is at version 3 with 1 key',
  ])
  expect(stderr).toBe('')
})
