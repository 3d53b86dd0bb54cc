/**
 * Holds package.json, the sources, the build and the docs to one another: every entry is exported and every export is
 * an entry; both module formats export the same names; and the docs name no subpath that is not there. Run after a build.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

type Target = { types: string; default: string }
type Conditions = { import: Target; require: Target }

const root = resolve(import.meta.dirname, '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const exported = new Map<string, Conditions>(
  Object.entries<Conditions>(manifest.exports).filter(([subpath]) => subpath !== './package.json'),
)
const faults = [
  ...checkEntries(),
  ...(
    await Promise.all([...exported].map(([subpath, conditions]) => checkBuilt(subpath, conditions)))
  ).flat(),
  ...checkDocs(),
]
for (const fault of faults) console.error(fault)
console.log(`${exported.size} subpaths, ${faults.length} faults`)
process.exit(faults.length === 0 ? 0 : 1)

function checkEntries(): string[] {
  const entries = readdirSync(join(root, 'src'), { withFileTypes: true })
    .filter(({ name }) => name !== 'core' && existsSync(join(root, 'src', name, 'index.ts')))
    .map(({ name }) => `./${name}`)
  const sources = ['.', ...entries]
  return [
    ...sources
      .filter(name => !exported.has(name))
      .map(name => `src has the entry ${name}; package.json must export it`),
    ...[...exported.keys()]
      .filter(name => !sources.includes(name))
      .map(name => `${name} is exported; src lacks it`),
  ]
}

async function checkBuilt(subpath: string, conditions: Conditions): Promise<string[]> {
  const paths = [conditions.import, conditions.require].flatMap(target => [target.types, target.default])
  const missing = paths.filter(path => !existsSync(join(root, path)))
  if (missing.length > 0) return missing.map(path => `${subpath}: ${path} is not there; run "npm run build"`)

  const file = join(root, conditions.import.default)
  const names = Object.keys(await import(pathToFileURL(file).href)).sort()
  const required = Object.keys(createRequire(import.meta.url)(join(root, conditions.require.default))).sort()
  const declared = readDeclaredNames(join(root, conditions.import.types))
  return [
    ...(names.join() === required.join()
      ? []
      : [`${subpath}: import gives ${names}, require gives ${required}`]),
    ...names.filter(name => !declared.has(name)).map(name => `${subpath}: "${name}" is not declared`),
  ]
}

/** The names in the closing `export { … }` of a rolled-up declaration file. */
function readDeclaredNames(path: string): Set<string> {
  const lists = [...readFileSync(path, 'utf8').matchAll(/export \{([^}]*)\}/g)].flatMap(
    match => match[1] ?? '',
  )
  return new Set(
    lists
      .join(',')
      .split(',')
      .map(
        name =>
          name
            .trim()
            .replace(/^type /, '')
            .split(' as ')
            .at(-1) ?? '',
      ),
  )
}

function checkDocs(): string[] {
  const docs = readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md'))
  return ['README.md', ...docs.map(name => `docs/${name}`)].flatMap(page => {
    const text = readFileSync(join(root, page), 'utf8')
    const named = [...text.matchAll(/@luoarch\/baileys-store-core(\/[a-z]+)?/g)].map(
      match => `.${match[1] ?? ''}`,
    )
    return [...new Set(named)]
      .filter(name => !exported.has(name))
      .map(name => `${page} names ${name}, not exported`)
  })
}
