import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CACHE } from './server-process.js'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('../../scripts/debian-packages.sh', import.meta.url))

/** What Prometheus' own tool has against metrics; empty when it has nothing. On PATH, or from Debian. */
export async function checkMetrics(text: string): Promise<string> {
  const child = spawn(await findPromtool(), ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', bytes => (said += bytes))
  child.stdin.end(text)
  const [code] = await once(child, 'close')
  return code === 0 ? said.trim() : `exit ${code}: ${said.trim()}`
}

async function findPromtool(): Promise<string> {
  const isOnPath = await run('promtool', ['--version']).then(
    () => true,
    () => false,
  )
  if (isOnPath) return 'promtool'
  const folder = join(CACHE, 'prometheus')
  await mkdir(CACHE, { recursive: true })
  await run(SCRIPT, ['bookworm', folder, 'prometheus'])
  return join(folder, 'bin', 'promtool')
}
