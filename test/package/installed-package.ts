import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const CONSUMER = join(import.meta.dirname, 'consumer')

/** The packed tarball, and empty folders to install it in. */
export class PackedPackage {
  readonly #folder: string
  readonly #tarball: string

  private constructor(folder: string, tarball: string) {
    this.#folder = folder
    this.#tarball = tarball
  }

  static async pack(): Promise<PackedPackage> {
    if (await isBuildStale()) await run('npm', ['run', 'build'], { cwd: root })
    const folder = await mkdtemp(join(tmpdir(), 'packed-'))
    const { stdout } = await run(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', folder],
      {
        cwd: root,
      },
    )
    const [packed] = JSON.parse(stdout) as [{ filename: string }]
    return new PackedPackage(folder, join(folder, packed.filename))
  }

  /** A folder with the package, the given ones beside it, and the consumers of this folder. */
  async install(name: string, packages: readonly string[]): Promise<string> {
    const folder = join(this.#folder, name)
    await mkdir(folder)
    await cp(CONSUMER, folder, { recursive: true })
    const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
    await run('npm', ['init', '-y'], { cwd: folder })
    await run('npm', ['install', ...flags, this.#tarball, ...packages], { cwd: folder })
    return folder
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** The Node of that major version, from the npm package `node`. */
export async function findNode(major: number): Promise<string> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath
  const { stdout } = await run('npx', ['-y', '-p', `node@${major}`, 'node', '-p', 'process.execPath'])
  return stdout.trim()
}

async function isBuildStale(): Promise<boolean> {
  const built = await stat(join(root, 'dist/sqlite/index.d.cts')).catch(() => undefined)
  if (built === undefined) return true
  const sources = await readdir(join(root, 'src'), { recursive: true })
  const times = await Promise.all(sources.map(async name => (await stat(join(root, 'src', name))).mtimeMs))
  return Math.max(...times) > built.mtimeMs
}
