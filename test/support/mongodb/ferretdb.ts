import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describeOnFailure } from '../failure-reports.js'
import { freezeProcess, killProcess, listening } from '../server-process.js'
import type { User } from './mongodb-program.js'
import type { MongoServer } from './mongodb-server.js'

const run = promisify(execFile)
/** Also when we are killed. */
const DIES_WITH_US = ['--pdeathsig', 'INT', '--']

/** What PostgreSQL is given to end by itself. */
const END_MS = 3000

const LOG_LINES = 40
const LINE_LENGTH = 300
/** The calls that are under way, what each waits for, and which processes stand in its way. */
const ACTIVITY =
  "SELECT pid, backend_type, state, now() - query_start, wait_event_type, wait_event, pg_blocking_pids(pid), left(query, 200) FROM pg_stat_activity WHERE state <> 'idle'"

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
  const home = await mkdtemp(join(tmpdir(), 'ferretdb-')) // short: a socket's path has at most 107 bytes
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
  const log = openSync(join(home, 'log'), 'a')
  let postgres: ChildProcess
  let ferretdb: ChildProcess

  async function start(): Promise<void> {
    postgres = spawn(
      'setpriv',
      [...DIES_WITH_US, join(folder, 'postgresql', 'bin', 'postgres'), '-D', data],
      {
        stdio: ['ignore', log, log],
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
        ...user,
      },
    )
    await ready(postgres, data)
    if (ttlSweep !== undefined) {
      await query(
        `SELECT cron.alter_job(jobid, schedule => '${ttlSweep}') FROM cron.job WHERE jobname = 'documentdb_ttl_task'`,
      )
    }
    ferretdb = spawn('setpriv', [...DIES_WITH_US, join(folder, 'ferretdb')], {
      stdio: ['ignore', log, log],
      env: {
        PATH: '/usr/bin:/bin',
        FERRETDB_POSTGRESQL_URL: `postgres://postgres@/postgres?host=${sockets}&pool_max_conns=50`,
        FERRETDB_LISTEN_ADDR: `127.0.0.1:${port}`,
        FERRETDB_STATE_DIR: state,
        FERRETDB_AUTH: 'false',
        FERRETDB_DEBUG_ADDR: '-',
        FERRETDB_TELEMETRY: 'disable',
        FERRETDB_LOG_LEVEL: 'warn',
        DO_NOT_TRACK: '1',
      },
    })
    await listening(ferretdb, port)
  }

  async function query(sql: string): Promise<string> {
    const psql = ['usr/lib/postgresql/18/bin/psql', '-qAtX', '-h', sockets, '-U', 'postgres', '-c', sql]
    return (await run(join(folder, 'postgresql', 'run'), psql, { ...user, timeout: 10_000 })).stdout
  }

  /** What it does, and what it has said last. */
  async function describe(): Promise<string> {
    const states = [ferretdb, postgres].map(
      ({ pid, exitCode, signalCode }) => `${pid}: ${signalCode ?? exitCode ?? 'runs'}`,
    )
    const work = await query(ACTIVITY).catch(error => `${error}`)
    const said = (await readFile(join(home, 'log'), 'utf8'))
      .split('\n')
      .slice(-LOG_LINES)
      .map(line => line.slice(0, LINE_LENGTH))
    return [`FerretDB on port ${port} (${states.join(', PostgreSQL ')}):`, work, ...said].join('\n')
  }

  async function kill(): Promise<void> {
    await Promise.all([killProcess(ferretdb), killProcess(postgres)])
    await killThoseIn(data)
    await rm(join(data, 'postmaster.pid'), { force: true })
  }

  await start()
  const forget = describeOnFailure(describe)
  return {
    kind: 'ferretdb',
    url: `mongodb://127.0.0.1:${port}/`,
    port,
    kill,
    restart: start,
    freeze: () => freezeProcess(ferretdb),
    thaw: () => void ferretdb.kill('SIGCONT'),
    async stop() {
      forget()
      await killProcess(ferretdb)
      await end(postgres)
      await kill()
      closeSync(log)
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
