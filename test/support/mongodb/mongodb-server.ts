import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, freezeProcess, killProcess, listening } from '../server-process.js'
import { startFerretdb } from './ferretdb.js'
import { findMongo } from './mongodb-program.js'

export interface MongoServer {
  readonly kind: 'ferretdb' | 'mongod' | 'docker' | 'given'
  readonly url: string
  readonly port: number
  /** Kills it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port and data. */
  restart(): Promise<void>
  /** Stops it from answering, with its connections open; resolves when it has stopped. */
  freeze(): Promise<void>
  thaw(): void
  /** Ends it and removes what it has written. */
  stop(): Promise<void>
}

export interface MongoServerOptions {
  port?: number
  /** It is neither killed nor frozen: the server that the environment names (MONGODB_URL) does as well. */
  shared?: boolean
  /** FerretDB only: how often expired documents are removed, as pg_cron puts it; by default once a minute. */
  ttlSweep?: string
}

/** A server on a free port of this machine, ready to answer. */
export async function startMongo(options: MongoServerOptions = {}): Promise<MongoServer> {
  const given = options.shared ? process.env.MONGODB_URL : undefined
  if (given !== undefined) return leaveAlone(given)
  const program = await findMongo()
  const port = options.port ?? (await freePort())
  if (program.kind === 'docker') return startContainer(program.image, program.tried, port)
  if (program.kind === 'mongod') return startMongod(program.path, port)
  return startFerretdb({ ...program, port, ttlSweep: options.ttlSweep })
}

function leaveAlone(url: string): MongoServer {
  const refuse = () => Promise.reject(new Error('the server is not ours to stop'))
  const port = Number(/:(\d+)(?=[/,?]|$)/.exec(url)?.[1] ?? 27017)
  return {
    kind: 'given',
    url,
    port,
    kill: refuse,
    restart: refuse,
    freeze: refuse,
    thaw() {},
    stop: async () => {},
  }
}

async function startMongod(path: string, port: number): Promise<MongoServer> {
  const data = await mkdtemp(join(tmpdir(), 'mongod-'))
  let server: ChildProcess

  async function start(): Promise<void> {
    server = spawn(path, ['--dbpath', data, '--port', `${port}`, '--bind_ip', '127.0.0.1'], {
      stdio: 'ignore',
    })
    await listening(server, port)
  }

  await start()
  return {
    kind: 'mongod',
    url: `mongodb://127.0.0.1:${port}/`,
    port,
    kill: () => killProcess(server),
    restart: start,
    freeze: () => freezeProcess(server),
    thaw: () => void server.kill('SIGCONT'),
    async stop() {
      await killProcess(server)
      await rm(data, { recursive: true, force: true })
    },
  }
}

/** A replica set of one. */
async function startContainer(
  image: string,
  tried: readonly string[],
  port: number, // the same after a restart
): Promise<MongoServer> {
  try {
    const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers')
    const container = await new GenericContainer(image)
      .withExposedPorts({ container: 27017, host: port })
      .withCommand(['mongod', '--replSet', 'rs0', '--bind_ip_all'])
      .withWaitStrategy(Wait.forLogMessage(/Waiting for connections/i))
      .start()
    const initiate = 'rs.initiate({ _id: "rs0", members: [{ _id: 0, host: "127.0.0.1:27017" }] })'
    const evaluate = (code: string) => container.exec(['mongosh', '--quiet', '--eval', code])
    const elected = () => evaluate('while (!db.hello().isWritablePrimary) sleep(50)')
    await evaluate(initiate)
    await elected()
    // A process 1 ignores SIGSTOP from within its container, so Docker must pause it.
    const runtime = await getContainerRuntimeClient()
    const handle = runtime.container.getById(container.getId())
    return {
      kind: 'docker',
      url: `mongodb://${container.getHost()}:${port}/?directConnection=true`,
      port,
      kill: () => container.stop({ remove: false, timeout: 0 }).then(() => {}),
      async restart() {
        await container.restart()
        await elected()
      },
      freeze: () => handle.pause(),
      thaw: () => void handle.unpause().catch(() => {}),
      async stop() {
        await handle.unpause().catch(() => {}) // it may not be paused
        await container.stop()
      },
    }
  } catch (error) {
    const reasons = [...tried, `Docker: ${(error as Error).message}`]
    throw new Error(`there is no MongoDB to test on:\n  ${reasons.join('\n  ')}`, { cause: error })
  }
}
