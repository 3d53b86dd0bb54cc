import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freezeProcess, killProcess, listening } from '../server-process.js'
import type { User } from './mongodb-program.js'
import type { MongoServer } from './mongodb-server.js'

const run = promisify(execFile)
/** Also when we are killed. */
const DIES_WITH_US = ['--pdeathsig', 'INT', '--']

/** What PostgreSQL is given to end by itself. */
const END_MS = 3000

export interface FerretdbOptions {
  folder: string
  user: User | undefined
  port: number
  /** How often expired documents are removed, as pg_cron puts it; by default once a minute. */
  ttlSweep: string | undefined
}

/** FerretDB on a PostgreSQL of its own. */
export async function startFerretdb(options: FerretdbOptions): Promise<MongoServer> {
  const { folder, user, port, ttlSweep } = options
  const home = await mkdtemp(join(tmpdir(), 'ferretdb-')) // short: a socket's path has 107 bytes at the most
  const [data, sockets, state] = ['data', 's', 'state'].map(name => join(home, name)) as [
    string,
    string,
    string,
  ]
  await Promise.all([mkdir(sockets), mkdir(state), cp(join(folder, 'template'), data, { recursive: true })])
  await writeFile(
    join(data, 'server.conf'),
    `unix_socket_directories = '${sockets}'\n` +
      `documentdb.localhost_connection_string = 'host=${sockets}'\n` +
      'fsync = off\nfull_page_writes = off\n' + // what a killed process has written is there all the same
      'dynamic_shared_memory_type = mmap\n', // in the data folder, and so removed with it after a kill
  )
  await chmod(data, 0o700)
  if (user) {
    await chmod(home, 0o755)
    await run('chown', ['-R', `${user.uid}:${user.gid}`, data, sockets])
  }
  let postgres: ChildProcess
  let ferretdb: ChildProcess

  async function start(): Promise<void> {
    postgres = spawn(
      'setpriv',
      [...DIES_WITH_US, join(folder, 'postgresql', 'bin', 'postgres'), '-D', data],
      {
        stdio: 'ignore',
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
        ...user,
      },
    )
    await ready(postgres, data)
    if (ttlSweep !== undefined) await schedule(folder, sockets, ttlSweep, user)
    ferretdb = spawn('setpriv', [...DIES_WITH_US, join(folder, 'ferretdb')], {
      stdio: 'ignore',
      env: {
        PATH: '/usr/bin:/bin',
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
    await killThoseIn(data)
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
      await killProcess(ferretdb)
      await end(postgres)
      await kill()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** A killed one would leave a segment of shared memory to the machine. */
async function end(postgres: ChildProcess): Promise<void> {
  if (postgres.exitCode !== null || postgres.signalCode !== null) return
  const exited = once(postgres, 'exit')
  postgres.kill('SIGINT')
  await Promise.race([exited, sleep(END_MS, undefined, { ref: false })])
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

/** What PostgreSQL has started has its data as working directory, and outlives it while it is busy. */
async function killThoseIn(folder: string): Promise<void> {
  for (;;) {
    const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
    const places = await Promise.all(pids.map(pid => readlink(`/proc/${pid}/cwd`).catch(() => '')))
    const left = pids.filter((_, i) => places[i] === folder)
    if (left.length === 0) return
    for (const pid of left) tryToKill(Number(pid))
    await sleep(10)
  }
}

function tryToKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
