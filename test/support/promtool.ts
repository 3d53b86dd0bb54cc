import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CACHE } from './server-process.js'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('../../scripts/debian-packages.sh', import.meta.url))

/** What Prometheus' own tool has against metrics; empty when it has nothing. */
export async function checkMetrics(text: string): Promise<string> {
  const { code, said } = await promtool(['check', 'metrics'], text)
  return code === 0 ? said : `exit ${code}: ${said}`
}

/** What the tests of rules have found; empty when all have passed. */
export async function testRules(file: string): Promise<string> {
  const { code, said } = await promtool(['test', 'rules', file])
  return code === 0 ? '' : said
}

/** A program of Prometheus: on PATH, or from Debian. */
export async function findPrometheus(program: 'prometheus' | 'promtool'): Promise<string> {
  const isOnPath = await run(program, ['--version']).then(
    () => true,
    () => false,
  )
  if (isOnPath) return program
  const folder = join(CACHE, 'prometheus')
  await mkdir(CACHE, { recursive: true })
  await run(SCRIPT, ['bookworm', folder, 'prometheus'])
  return join(folder, 'bin', program)
}

async function promtool(command: readonly string[], input = ''): Promise<{ code: number; said: string }> {
  const child = spawn(await findPrometheus('promtool'), command, { stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', bytes => (said += bytes))
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code, said: said.trim() }
}
