/**
 * Holds the sources to their direction: hook → store → codec, and backend → store. Each room of core imports only those
 * below it, core imports no entry, no entry another but those named here, and each reaches the packages that are its own
 * and no others. Biome finds circles.
 */
import { readdirSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { findImports, type Import } from './find-imports.js'

interface Rule {
  /** Folders of src that it may import, beside itself and `core`. */
  folders: readonly string[]
  /** Folders of which it may only name types. */
  typesOf?: readonly string[]
  packages: readonly string[]
  /** Packages that only `import()` may reach: optional peers. */
  optional: readonly string[]
}

/** An entry's backend does not know the codec: bytes in, bytes out. It also reads what earlier releases have left. */
const ENTRY = ['core/connection', 'core/input', 'core/store', 'core/transfer']

const HYBRID_ROOMS = ['hybrid/breaker', 'hybrid/outbox', 'hybrid/session']

const RULES: Readonly<Record<string, Rule>> = {
  /** What all have in common: the two contracts, errors, names. It knows none of the rooms. */
  core: {
    folders: [],
    packages: ['async-mutex'],
    optional: ['prom-client'],
  },
  /** What callers give: options read, refused and shown. */
  'core/input': { folders: [], packages: ['fastest-levenshtein', 'valibot'], optional: ['prom-client'] },
  /** The connections that stores share. */
  'core/connection': { folders: [], packages: [], optional: [] },
  'core/codec': { folders: [], packages: ['lru-cache', 'msgpackr', 'tweetnacl'], optional: ['snappy'] },
  'core/store': {
    folders: ['core/codec', 'core/input'],
    packages: ['lru-cache'],
    optional: ['@opentelemetry/api', 'prom-client'],
  },
  'core/hook': {
    folders: ['core/codec', 'core/connection', 'core/input', 'core/store'],
    packages: ['valibot'],
    optional: ['@whiskeysockets/baileys', 'baileys'],
  },
  /** Sessions that come from elsewhere, over the contract of a store. */
  'core/transfer': { folders: ['core/codec', 'core/input', 'core/store'], packages: [], optional: [] },
  hybrid: {
    folders: [...ENTRY, ...HYBRID_ROOMS, 'mongodb', 'redis'],
    packages: ['valibot'],
    optional: ['ioredis', 'mongodb'],
  },
  'hybrid/breaker': { folders: [], packages: ['opossum'], optional: [] },
  /** What waits in Redis for the durable store. */
  'hybrid/outbox': {
    folders: ['core/connection', 'core/store', 'hybrid/breaker', 'redis'],
    packages: ['valibot'],
    optional: [],
  },
  /** What a process remembers of a session, and the functions that compare it with what the databases say. */
  'hybrid/session': {
    folders: ['core/store', 'hybrid/breaker', 'hybrid/outbox', 'redis'],
    packages: [],
    optional: [],
  },
  /** A user of the library: it imports the package by its name. */
  cli: {
    folders: ['..'], // package.json, for the version
    packages: ['@luoarch/baileys-store-core'],
    optional: [
      '@clack/prompts',
      '@luoarch/baileys-store-core/hybrid',
      '@luoarch/baileys-store-core/mongodb',
      '@luoarch/baileys-store-core/redis',
      '@luoarch/baileys-store-core/sqlite',
    ],
  },
  mongodb: { folders: ENTRY, packages: ['lru-cache', 'valibot'], optional: ['mongodb'] },
  redis: { folders: ENTRY, packages: ['valibot'], optional: ['ioredis'] },
  sqlite: { folders: ENTRY, packages: ['valibot'], optional: ['libsql'] },
  /** `src/index.ts`: what every user gets, with no database in reach. */
  '.': {
    folders: ['core/codec', 'core/input', 'core/store', 'core/transfer'],
    typesOf: ['hybrid', 'mongodb', 'redis', 'sqlite'],
    packages: [],
    optional: [],
  },
}
/** The one file of an entry that opens a hook; its `index.ts` may name the types. */
const HOOK_FILE = /\/use-[a-z]+-auth-state\.ts$/
/** Only here is Baileys known. */
const BAILEYS = { file: 'core/hook/baileys.ts', packages: ['@whiskeysockets/baileys', 'baileys'] }

const source = resolve(import.meta.dirname, '../src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
const faults = files.flatMap(file => findImports(join(source, file)).flatMap(found => check(file, found)))
for (const fault of faults) console.error(fault)
console.log(`${files.length} source files, ${faults.length} imports in the wrong direction`)
process.exit(faults.length === 0 ? 0 : 1)

function check(from: string, found: Import): string[] {
  const folder = folderOf(from)
  const rule = RULES[folder]
  if (rule === undefined) return [`src/${from}: no rule for src/${folder}; add one to RULES`]
  const fault = found.specifier.startsWith('.')
    ? checkFile(from, found, folder, rule)
    : checkPackage(from, found, rule)
  return fault === undefined ? [] : [`src/${from} imports ${found.specifier}: ${fault}`]
}

function checkFile(
  from: string,
  { specifier, isTypeOnly }: Import,
  folder: string,
  rule: Rule,
): string | undefined {
  const target = folderOf(relative(source, resolve(source, dirname(from), specifier)))
  const allowed = [
    folder,
    'core',
    ...rule.folders,
    ...(isTypeOnly ? (rule.typesOf ?? []) : []),
    ...(HOOK_FILE.test(from) || (isTypeOnly && basename(from) === 'index.ts') ? ['core/hook'] : []),
  ]
  return allowed.includes(target)
    ? undefined
    : `src/${folder} may import from ${allowed.join(', ')}, not ${target}`
}

function checkPackage(
  from: string,
  { specifier, isDynamic, isTypeOnly }: Import,
  rule: Rule,
): string | undefined {
  if (specifier.startsWith('node:')) return undefined
  if (BAILEYS.packages.includes(specifier) && from !== BAILEYS.file) return `only src/${BAILEYS.file} may`
  if (rule.packages.includes(specifier)) return undefined
  if (!rule.optional.includes(specifier))
    return `not among its packages (${rule.packages.join(', ') || 'none'})`
  return isDynamic || isTypeOnly ? undefined : 'it is optional: reach it by import()'
}

/** The rooms of core are folders of their own; an entry's `lua` is a part of it. */
function folderOf(path: string): string {
  return dirname(path).replace(/\/lua$/, '')
}
