import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Flavour, findProgram, urlOf } from './redis-program.js'

export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Kills it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port and folder. */
  restart(): Promise<void>
  /** Stops it from answering, with its connections open; resolves when it has stopped. */
  freeze(): Promise<void>
  thaw(): void
  /** Ends it and removes what it has written. */
  stop(): Promise<void>
}

export interface RedisServerOptions {
  flavour?: Flavour
  port?: number
  /** It is neither killed nor reconfigured: a server that the environment names (`REDIS_7_URL`, …) does as well. */
  shared?: boolean
  /** Further arguments; by default nothing is kept on the disk. */
  config?: readonly string[]
}

/** What is acknowledged is on the disk. */
export const KEEPS_ALL = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
const NOTHING_KEPT = ['--save', '', '--appendonly', 'no']

/** A server on a free port of this machine, ready to answer. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { flavour = 'redis-7', config = NOTHING_KEPT } = options
  const url = options.shared ? urlOf(flavour) : undefined
  if (url !== undefined) return leaveAlone(url)
  const program = await findProgram(flavour)
  if ('image' in program) return startContainer(program.image, program.tried, config)
  const { path } = program
  const port = options.port ?? (await freePort())
  const folder = await mkdtemp(join(tmpdir(), 'redis-'))
  const command = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--enable-debug-command',
    'local',
  ]
  let server: ChildProcess

  async function start(): Promise<void> {
    server = spawn(path, [...command, ...config], { stdio: 'ignore' })
    await listening(server, port)
  }

  async function kill(): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    restart: start,
    async freeze() {
      server.kill('SIGSTOP')
      while (!(await isStopped(server.pid as number))) await sleep(5)
    },
    thaw: () => void server.kill('SIGCONT'),
    async stop() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function leaveAlone(url: string): RedisServer {
  const refuse = () => Promise.reject(new Error(`${url} is not ours to stop`))
  const { port } = new URL(url)
  return {
    url,
    port: Number(port || 6379),
    kill: refuse,
    restart: refuse,
    freeze: refuse,
    thaw() {},
    stop: async () => {},
  }
}

/** For a machine without the programs: the same by Docker, or an error that says what has been tried. */
async function startContainer(
  image: string,
  tried: readonly string[],
  config: readonly string[],
): Promise<RedisServer> {
  try {
    const { GenericContainer } = await import('testcontainers')
    const container = await new GenericContainer(image)
      .withExposedPorts(6379)
      .withCommand([image.includes('valkey') ? 'valkey-server' : 'redis-server', ...config])
      .start()
    const port = container.getMappedPort(6379)
    return {
      url: `redis://${container.getHost()}:${port}`,
      port,
      kill: () => container.stop({ remove: false, timeout: 0 }).then(() => {}),
      restart: () => container.restart(),
      freeze: () => Promise.reject(new Error('a container cannot be frozen')),
      thaw() {},
      stop: () => container.stop().then(() => {}),
    }
  } catch (error) {
    const reasons = [...tried, `Docker: ${(error as Error).message}`]
    throw new Error(`there is no Redis to test on:\n  ${reasons.join('\n  ')}`, { cause: error })
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

async function listening(server: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    if (server.exitCode !== null) throw new Error(`the Redis server has ended with code ${server.exitCode}`)
    const socket = connect(port, '127.0.0.1')
    const isUp = await Promise.race([once(socket, 'connect'), once(socket, 'error')]).then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isUp) return
    await sleep(10)
  }
  throw new Error(`nothing listens on port ${port}`)
}

async function isStopped(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')
}
