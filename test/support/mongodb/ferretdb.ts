import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freezeProcess, killProcess, listening } from '../server-process.js'
import type { User } from './mongodb-program.js'
import type { MongoServer } from './mongodb-server.js'

const run = promisify(execFile)

export interface FerretdbOptions {
  folder: string
  user: User | undefined
  port: number
  /** What is acknowledged is on the disk. */
  isDurable: boolean
  /** How often expired documents are removed, as pg_cron puts it; by default once a minute. */
  ttlSweep: string | undefined
}

/** FerretDB on a PostgreSQL of its own. */
export async function startFerretdb(options: FerretdbOptions): Promise<MongoServer> {
  const { folder, user, port, isDurable, ttlSweep } = options
  const home = await mkdtemp(join(tmpdir(), 'ferretdb-')) // short: a socket's path has 107 bytes at the most
  const [data, sockets, state] = ['data', 's', 'state'].map(name => join(home, name)) as [
    string,
    string,
    string,
  ]
  await Promise.all([mkdir(sockets), mkdir(state), cp(join(folder, 'template'), data, { recursive: true })])
  const fsync = isDurable ? 'on' : 'off'
  await writeFile(
    join(data, 'server.conf'),
    `unix_socket_directories = '${sockets}'\n` +
      `documentdb.localhost_connection_string = 'host=${sockets}'\n` +
      `fsync = ${fsync}\nfull_page_writes = ${fsync}\n`,
  )
  await chmod(data, 0o700)
  if (user) {
    await chmod(home, 0o755)
    await run('chown', ['-R', `${user.uid}:${user.gid}`, data, sockets])
  }
  let postgres: ChildProcess
  let ferretdb: ChildProcess

  async function start(): Promise<void> {
    postgres = spawn(join(folder, 'postgresql', 'bin', 'postgres'), ['-D', data], {
      stdio: 'ignore',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      ...user,
    })
    await ready(postgres, data)
    if (ttlSweep !== undefined) await schedule(folder, sockets, ttlSweep, user)
    ferretdb = spawn(join(folder, 'ferretdb'), [], {
      stdio: 'ignore',
      env: {
        FERRETDB_POSTGRESQL_URL: `postgres://postgres@/postgres?host=${sockets}&pool_max_conns=50`,
        FERRETDB_LISTEN_ADDR: `127.0.0.1:${port}`,
        FERRETDB_STATE_DIR: state,
        FERRETDB_AUTH: 'false',
        FERRETDB_DEBUG_ADDR: '-',
        FERRETDB_TELEMETRY: 'disable',
        DO_NOT_TRACK: '1',
      },
    })
    await listening(ferretdb, port)
  }

  async function kill(): Promise<void> {
    await Promise.all([killProcess(ferretdb), killProcess(postgres)])
    while (await isWorkedIn(data)) await sleep(10) // its processes end when they miss it
    await rm(join(data, 'postmaster.pid'), { force: true })
  }

  await start()
  return {
    kind: 'ferretdb',
    url: `mongodb://127.0.0.1:${port}/`,
    port,
    kill,
    restart: start,
    freeze: () => freezeProcess(ferretdb),
    thaw: () => void ferretdb.kill('SIGCONT'),
    async stop() {
      await kill()
      await rm(home, { recursive: true, force: true })
    },
  }
}

async function ready(postgres: ChildProcess, data: string): Promise<void> {
  for (let attempt = 0; attempt < 1200; attempt++) {
    if (postgres.exitCode !== null) throw new Error(`PostgreSQL has ended with code ${postgres.exitCode}`)
    const state = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
    if (/^ready/m.test(state)) return
    await sleep(25)
  }
  throw new Error('PostgreSQL does not get ready')
}

async function schedule(
  folder: string,
  sockets: string,
  sweep: string,
  user: User | undefined,
): Promise<void> {
  const sql = `SELECT cron.alter_job(jobid, schedule => '${sweep}') FROM cron.job WHERE jobname = 'documentdb_ttl_task'`
  const psql = 'usr/lib/postgresql/18/bin/psql'
  await run(
    join(folder, 'postgresql', 'run'),
    [psql, '-qAtX', '-h', sockets, '-U', 'postgres', '-c', sql],
    user,
  )
}

/** Whether a process has the folder as its working directory. */
async function isWorkedIn(folder: string): Promise<boolean> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const places = await Promise.all(pids.map(pid => readlink(`/proc/${pid}/cwd`).catch(() => '')))
  return places.includes(folder)
}
