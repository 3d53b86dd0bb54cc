import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { formatTrace } from './trace.js'

export const MODEL = resolve(import.meta.dirname, 'hybrid.qnt')

/** As they stand in the model; `safe` is all of them. */
export const INVARIANTS = [...readFileSync(MODEL, 'utf8').matchAll(/^ {2}val (\w+) = .*/gm)]
  .map(([, name]) => name as string)
  .filter(name => name !== 'safe')

export interface Budget {
  seed: string
  /** At most. */
  traces: number
  steps: number
}

export interface Outcome {
  /** Up to the violation, as far as the simulator tells: it rounds traces per second. */
  traces: number
  seconds: number
  /** The invariants that do not hold in the last state of the trace. */
  violated: string[]
  /** Of the trace that ends in the violation. */
  seed: string
}

/** Throws what the type checker finds. */
export function typecheck(file = MODEL): void {
  const { status, output } = runQuint(['typecheck', file])
  if (status !== 0) throw new Error(output)
}

/** Runs random traces of the model until one violates an invariant. */
export function simulate(file: string, { seed, traces, steps }: Budget): Outcome {
  const { status, output } = runQuint([
    ...toArguments(file, { seed, traces, steps }),
    '--invariants',
    ...INVARIANTS,
  ])
  const [, ms, speed] = /\((\d+)ms at (\d+) traces\/second\)/.exec(output) ?? []
  const isViolated = output.includes('[violation]')
  if (ms === undefined || (status !== 0 && !isViolated)) throw new Error(output)
  return {
    traces: isViolated ? Math.max(1, Math.round((Number(ms) * Number(speed)) / 1000)) : traces,
    seconds: Number(ms) / 1000,
    violated: [...output.matchAll(/❌ (\w+)/g)].map(([, name]) => name as string),
    seed: /--seed=(\w+)/.exec(output)?.[1] ?? seed,
  }
}

/** One trace, step by step: the action, and what it changes. */
export function replay(file: string, seed: string, steps: number): string {
  return inFolder(folder => {
    const path = join(folder, 'trace.itf.json')
    const budget = { seed, traces: 1, steps }
    runQuint([...toArguments(file, budget), '--invariant=safe', '--mbt', `--out-itf=${path}`])
    return formatTrace(JSON.parse(readFileSync(path, 'utf8')))
  })
}

/** Runs `action` on a file that has another text than the model. */
export function withText<T>(text: string, action: (file: string) => T): T {
  return inFolder(folder => {
    const file = join(folder, 'hybrid.qnt')
    writeFileSync(file, text)
    return action(file)
  })
}

function toArguments(file: string, { seed, traces, steps }: Budget): string[] {
  const bounds = [`--seed=${seed}`, `--max-samples=${traces}`, `--max-steps=${steps}`]
  return ['run', file, '--backend=typescript', '--verbosity=1', ...bounds]
}

function runQuint(args: string[]): { status: number | null; output: string } {
  const manifest = createRequire(import.meta.url).resolve('@informalsystems/quint/package.json')
  const cli = join(dirname(manifest), 'dist/src/cli.js')
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [cli, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
    maxBuffer: 64 * 1024 * 1024,
  })
  if (error) throw error
  return { status, output: stdout + stderr }
}

function inFolder<T>(action: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-model-'))
  try {
    return action(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
