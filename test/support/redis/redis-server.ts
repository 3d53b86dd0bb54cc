import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, freezeProcess, killProcess, listening } from '../server-process.js'
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

  const kill = () => killProcess(server)

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    restart: start,
    freeze: () => freezeProcess(server),
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
