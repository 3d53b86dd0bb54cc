import { parseArgs } from 'node:util'
import { CASES, type CaseName } from './cases/names.js'

export interface BenchOptions {
  /** Shorter, for a look at whether something has changed much. */
  isQuick: boolean
  only: readonly CaseName[]
}

/** `npm run bench -- --quick --only redis,codec` */
export function readArguments(args = process.argv.slice(2)): BenchOptions {
  const { values } = parseArgs({
    args,
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
  })
  const only = values.only?.split(',') ?? [...CASES]
  const unknown = only.find(name => !CASES.includes(name as CaseName))
  if (unknown !== undefined) throw new Error(`--only takes ${CASES.join(', ')}; got "${unknown}"`)
  return { isQuick: values.quick, only: only as CaseName[] }
}
