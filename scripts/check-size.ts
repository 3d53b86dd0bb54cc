/**
 * Weighs what one import of each subpath brings along, and holds it to the table below: how large our own code may be,
 * which folders of src it is from, and which packages it loads. What the table allows must be reached, so that it stays
 * true. Run after a build.
 */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { measureImport, type Weight } from './measure-import.js'

interface Budget {
  subpath: string
  /** One export alone, to see that a bundler leaves out the rest; by default all of them. */
  only?: string
  /** Minified, without packages: what was measured and some 12 % more. */
  maxBytes: number
  folders: readonly string[]
  loads?: readonly string[]
  defers?: readonly string[]
}

const STORE = {
  loads: ['fastest-levenshtein', 'lru-cache', 'msgpackr', 'tweetnacl', 'valibot'],
  defers: ['@opentelemetry/api', '@whiskeysockets/baileys', 'baileys', 'prom-client', 'snappy'],
}
const BUDGETS: readonly Budget[] = [
  { subpath: '.', maxBytes: 22_000, folders: ['core'] },
  { subpath: '.', only: 'deepBufferRevive', maxBytes: 1640, folders: ['core'] },
  { subpath: '.', only: 'FencedError', maxBytes: 2_200, folders: ['core'] },
  {
    subpath: './sqlite',
    maxBytes: 125_000,
    folders: ['core', 'sqlite'],
    loads: STORE.loads,
    defers: [...STORE.defers, 'libsql'],
  },
  {
    subpath: './redis',
    maxBytes: 160_000,
    folders: ['core', 'redis'],
    loads: STORE.loads,
    defers: [...STORE.defers, 'ioredis'],
  },
  {
    subpath: './mongodb',
    maxBytes: 145_000,
    folders: ['core', 'mongodb'],
    loads: [...STORE.loads, 'async-mutex'],
    defers: [...STORE.defers, 'mongodb'],
  },
  {
    subpath: './hybrid',
    maxBytes: 271_000,
    folders: ['core', 'hybrid', 'mongodb', 'redis'],
    loads: [...STORE.loads, 'async-mutex', 'opossum'],
    defers: [...STORE.defers, 'ioredis', 'mongodb'],
  },
]

const root = resolve(import.meta.dirname, '..')
const { exports: exported } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const subpaths = Object.keys(exported).filter(subpath => subpath !== './package.json')
const rows = await Promise.all(BUDGETS.map(async budget => ({ budget, weight: await weigh(budget) })))
printTable(rows)
const faults = [
  ...subpaths
    .filter(subpath => !BUDGETS.some(budget => budget.subpath === subpath && budget.only === undefined))
    .map(subpath => `${subpath} has no budget; add one to BUDGETS`),
  ...rows.flatMap(({ budget, weight }) => check(budget, weight)),
]
for (const fault of faults) console.error(fault)
console.log(`${rows.length} imports weighed, ${faults.length} faults`)
process.exit(faults.length === 0 ? 0 : 1)

function weigh({ subpath, only }: Budget): Promise<Weight> {
  return measureImport(root, exported[subpath].import.default, only === undefined ? '*' : `{ ${only} }`)
}

function check(budget: Budget, weight: Weight): string[] {
  const { maxBytes, folders, loads = [], defers = [] } = budget
  const name = nameOf(budget)
  return [
    ...(weight.bytes > maxBytes
      ? [`${name} has ${weight.bytes} bytes, more than the ${maxBytes} of its budget`]
      : []),
    ...compare(weight.folders, folders, what => `${name} takes code from src/${what}`),
    ...compare(weight.loads, loads, what => `${name} loads ${what} at once`),
    ...compare(weight.defers, defers, what => `${name} loads ${what} when needed`),
  ]
}

function compare(
  found: readonly string[],
  allowed: readonly string[],
  say: (what: string) => string,
): string[] {
  return [
    ...found
      .filter(what => !allowed.includes(what))
      .map(what => `${say(what)}, which its budget does not allow`),
    ...allowed
      .filter(what => !found.includes(what))
      .map(what => `${say(what)} no more; take it off its budget`),
  ]
}

function printTable(measured: readonly { budget: Budget; weight: Weight }[]): void {
  console.log(
    '| import | minified KB | at most | gzip KB | code from | packages at once | packages when needed |',
  )
  console.log('|---|--:|--:|--:|---|---|---|')
  for (const { budget, weight } of measured) {
    const sizes = [weight.bytes, budget.maxBytes, weight.gzipBytes].map(bytes => (bytes / 1000).toFixed(1))
    const lists = [weight.folders, weight.loads, weight.defers].map(names => names.join(', ') || '–')
    console.log(`| ${[nameOf(budget), ...sizes, ...lists].join(' | ')} |`)
  }
}

function nameOf({ subpath, only }: Budget): string {
  return only === undefined ? `\`${subpath}\`` : `\`${only}\` from \`${subpath}\``
}
