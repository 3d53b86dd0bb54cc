import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CACHE } from '../server-process.js'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('../../../scripts/debian-packages.sh', import.meta.url))

export type Flavour = 'redis-7' | 'redis-8' | 'valkey'

interface Source {
  /** Names a server program to be used instead. */
  variable: string
  /** What `--version` must say for the program on PATH to be used. */
  version: RegExp
  program: string
  suite: string
  packageName: string
  image: string
}

const SOURCES: Readonly<Record<Flavour, Source>> = {
  'redis-7': {
    variable: 'REDIS_7_SERVER',
    version: /v=7\./,
    program: 'redis-server',
    suite: 'bookworm',
    packageName: 'redis-server',
    image: 'redis:7',
  },
  'redis-8': {
    variable: 'REDIS_8_SERVER',
    version: /v=8\./,
    program: 'redis-server',
    suite: 'forky',
    packageName: 'redis-server',
    image: 'redis:8',
  },
  valkey: {
    variable: 'VALKEY_SERVER',
    version: /Valkey|v=[89]\./,
    program: 'valkey-server',
    suite: 'forky',
    packageName: 'valkey-server',
    image: 'valkey/valkey:8',
  },
}

/** A server that runs already, to be used as it is. */
export function urlOf(flavour: Flavour): string | undefined {
  return process.env[SOURCES[flavour].variable.replace('_SERVER', '_URL')]
}

export type Program = { path: string } | { image: string; tried: readonly string[] }

/**
 * The program of a server: named by the environment, found on PATH, or downloaded from Debian into a cache. Where all
 * of these fail, the image that Docker may have.
 */
export async function findProgram(flavour: Flavour): Promise<Program> {
  const { variable, version, program, suite, packageName, image } = SOURCES[flavour]
  const named = process.env[variable]
  if (named !== undefined) return { path: named }
  const tried = [`${variable} is not set`]
  const found = await run(program, ['--version']).catch(() => undefined)
  if (found !== undefined && version.test(found.stdout)) return { path: program }
  tried.push(`${program} on PATH: ${found === undefined ? 'none' : found.stdout.trim()}`)
  const folder = join(CACHE, flavour)
  try {
    await mkdir(CACHE, { recursive: true })
    await run(SCRIPT, [suite, folder, packageName])
    return { path: join(folder, 'bin', program) }
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    tried.push(`Debian's ${packageName} of ${suite}: ${stderr.trim().split('\n').at(-1) ?? 'failed'}`)
    return { image, tried }
  }
}
