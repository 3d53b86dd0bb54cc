/**
 * Holds the sources to their direction: hook → store → codec, backend → core. Core imports no entry, no entry imports
 * another but those named here, and each reaches the packages that are its own and no others.
 */
import { readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { findImports, type Import } from './find-imports.js'

interface Rule {
  /** Folders of src that it may import, beside itself. */
  folders: readonly string[]
  /** Folders of which it may only name types. */
  typesOf?: readonly string[]
  packages: readonly string[]
  /** Packages that only `import()` may reach: optional peers. */
  optional: readonly string[]
}

const RULES: Readonly<Record<string, Rule>> = {
  core: {
    folders: [],
    packages: ['async-mutex', 'fastest-levenshtein', 'lru-cache', 'msgpackr', 'tweetnacl', 'valibot'],
    optional: ['snappy', 'prom-client', '@opentelemetry/api', '@whiskeysockets/baileys', 'baileys'],
  },
  hybrid: {
    folders: ['core', 'mongodb', 'redis'],
    packages: ['opossum', 'valibot'],
    optional: ['ioredis', 'mongodb'],
  },
  mongodb: { folders: ['core'], packages: ['lru-cache', 'valibot'], optional: ['mongodb'] },
  redis: { folders: ['core'], packages: ['valibot'], optional: ['ioredis'] },
  sqlite: { folders: ['core'], packages: ['valibot'], optional: ['libsql'] },
  /** `src/index.ts`: what every user gets, with no database in reach. */
  '.': {
    folders: ['core'],
    typesOf: ['hybrid', 'mongodb', 'redis', 'sqlite'],
    packages: [],
    optional: [],
  },
}
/** Only here is Baileys known. */
const BAILEYS = { file: 'core/baileys.ts', packages: ['@whiskeysockets/baileys', 'baileys'] }

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
  const allowed = [folder, ...rule.folders, ...(isTypeOnly ? (rule.typesOf ?? []) : [])]
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

function folderOf(path: string): string {
  return dirname(path).split('/')[0] ?? '.'
}
