import { parseArgs } from 'node:util'
import { CASES, type CaseName } from './cases/names.js'

export interface BenchOptions {
  /** Shorter, for a look at whether something has changed much. */
  isQuick: boolean
  only: readonly CaseName[]
}

const USAGE = `npm run bench -- [--quick] [--only CASE,CASE]

  --quick   sessions of 1,000 keys, and fewer samples: a look at whether something has changed much
  --only    these cases: ${CASES.join(', ')}
  --help    this text

The results of all cases in full go to docs/benchmarks, docs/BENCHMARKS.md and README.md; any others to bench/out.`

/** Ends the process after `--help`, and for what is no argument. */
export function readArguments(args = process.argv.slice(2)): BenchOptions {
  try {
    const { quick, only, help } = parse(args)
    if (help) end(USAGE, 0)
    return { isQuick: quick, only: toCases(only) }
  } catch (error) {
    return end(`${(error as Error).message}\n\n${USAGE}`, 2)
  }
}

function parse(args: string[]) {
  const flag = { type: 'boolean', default: false } as const
  const options = { quick: flag, only: { type: 'string' }, help: { ...flag, short: 'h' } } as const
  return parseArgs({ args, options }).values
}

function toCases(only: string | undefined): CaseName[] {
  const names = only?.split(',') ?? [...CASES]
  const unknown = names.find(name => !CASES.includes(name as CaseName))
  if (unknown !== undefined) throw new Error(`"${unknown}" is no case.`)
  return names as CaseName[]
}

function end(text: string, code: number): never {
  console.log(text)
  process.exit(code)
}
