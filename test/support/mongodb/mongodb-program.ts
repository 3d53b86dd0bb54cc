import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CACHE } from '../server-process.js'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('../../../scripts/ferretdb.sh', import.meta.url))
const IMAGE = 'mongo:8'
/** PostgreSQL does not run as root. */
const OTHER_USER = 'nobody'

export interface User {
  uid: number
  gid: number
}

export type MongoProgram =
  | { kind: 'mongod'; path: string }
  /** `folder` is what `scripts/ferretdb.sh` makes; `user` runs PostgreSQL where we are root. */
  | { kind: 'ferretdb'; folder: string; user: User | undefined }
  | { kind: 'docker'; image: string; tried: readonly string[] }

/**
 * `mongod` as the environment names it (MONGOD) or as it is on PATH, else FerretDB, made once. Where that fails, or
 * MONGODB_TEST_SERVER is `docker`, the image that Docker may have.
 */
export async function findMongo(): Promise<MongoProgram> {
  if (process.env.MONGODB_TEST_SERVER === 'docker') return { kind: 'docker', image: IMAGE, tried: [] }
  const path = process.env.MONGOD ?? 'mongod'
  const found = await run(path, ['--version']).catch(() => undefined)
  if (found !== undefined) return { kind: 'mongod', path }
  const tried = [`${path}: not there (MONGOD names another)`]
  try {
    return await makeFerretdb()
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string }
    tried.push(`FerretDB: ${stderr.trim().split('\n').at(-1) || message}`)
    return { kind: 'docker', image: IMAGE, tried }
  }
}

async function makeFerretdb(): Promise<MongoProgram> {
  if (process.getuid?.() !== 0) {
    const folder = join(CACHE, 'ferretdb')
    await run(SCRIPT, [folder])
    return { kind: 'ferretdb', folder, user: undefined }
  }
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async option => Number(await idOf(option))))
  const user = { uid: uid as number, gid: gid as number }
  const cache = (await canReach(CACHE)) ? CACHE : '/var/cache/baileys-store-core'
  const folder = join(cache, 'ferretdb')
  await run(SCRIPT, [folder, OTHER_USER])
  return { kind: 'ferretdb', folder, user }
}

async function idOf(option: string): Promise<string> {
  return (await run('id', [option, OTHER_USER])).stdout
}

/** Whether the other user gets to what lies there: homes are often closed. */
async function canReach(folder: string): Promise<boolean> {
  for (let path = folder; path !== '/'; path = join(path, '..')) {
    if (
      !(await access(path).then(
        () => true,
        () => false,
      ))
    )
      continue
    return run('setpriv', [
      `--reuid=${OTHER_USER}`,
      '--clear-groups',
      `--regid=nogroup`,
      'test',
      '-x',
      path,
    ]).then(
      () => true,
      () => false,
    )
  }
  return false
}
