import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from '../server-process.js'
import { findProgram } from './redis-program.js'
import { type RedisServer, startRedis } from './redis-server.js'

export const MASTER_NAME = 'mymaster'
/** The Sentinels take a master for dead that has been silent for this time. */
const DOWN_AFTER_MS = 1000

export interface RedisSentinels {
  readonly sentinels: { host: string; port: number }[]
  readonly master: RedisServer
  readonly replicas: readonly RedisServer[]
  stop(): Promise<void>
}

/** A master, two replicas and three Sentinels that agree about them. */
export async function startRedisSentinels(): Promise<RedisSentinels> {
  const nothingKept = ['--save', '', '--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1']
  const master = await startRedis({ config: nothingKept })
  const replicaOf = ['--replicaof', `127.0.0.1 ${master.port}`]
  const replicas = [
    await startRedis({ config: [...nothingKept, ...replicaOf] }),
    await startRedis({ config: [...nothingKept, ...replicaOf] }),
  ]
  for (const replica of replicas) await says(replica.port, ['INFO', 'replication'], /master_link_status:up/)
  const watchers = [
    await startSentinel(master.port),
    await startSentinel(master.port),
    await startSentinel(master.port),
  ]
  for (const { port } of watchers) {
    await says(port, ['INFO', 'sentinel'], /slaves=2,sentinels=3/)
  }
  return {
    master,
    replicas,
    sentinels: watchers.map(({ port }) => ({ host: '127.0.0.1', port })),
    async stop() {
      await Promise.all([...watchers, master, ...replicas].map(server => server.stop()))
    },
  }
}

async function startSentinel(masterPort: number) {
  const program = await findProgram('redis-7')
  if (!('path' in program)) throw new Error('Sentinels need a redis-server on this machine')
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'sentinel-'))
  const config = join(folder, 'sentinel.conf')
  await writeFile(
    config,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} 2`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER_NAME} 5000`,
      '',
    ].join('\n'),
  )
  const child = spawn(program.path, [config, '--sentinel'], { stdio: 'ignore' })
  return {
    port,
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Waits until the server's answer matches. */
export async function says(port: number, command: [string, ...string[]], pattern: RegExp): Promise<void> {
  const client = new Redis(port, '127.0.0.1')
  client.on('error', () => {})
  try {
    for (let attempt = 0; attempt < 400; attempt++) {
      const answer = await client.call(...command).catch(() => '')
      if (pattern.test(String(answer))) return
      await sleep(50)
    }
    throw new Error(`port ${port} does not say ${pattern}`)
  } finally {
    client.disconnect()
  }
}
