/** Type-checks every `ts` block of README.md and of the pages below docs as a module of its own, against the sources. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'

const BLOCK = /^```ts\n([\s\S]*?)^```$/gm

interface Snippet {
  /** Where it would lie if it were a file: beside package.json, so that imports resolve as a user's do. */
  path: string
  /** What to show of it: page and line. */
  place: string
  text: string
}

const root = resolve(import.meta.dirname, '..')
/** Says what the sources mean by importing a `.lua` file. */
const LUA_MODULES = join(root, 'src/redis/lua/lua.d.ts')
const snippets = listPages().flatMap(findSnippets)
const faults = check(snippets)
for (const fault of faults) console.error(fault)
console.log(`${snippets.length} snippets, ${faults.length} faults`)
process.exit(faults.length === 0 ? 0 : 1)

function listPages(): string[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter(
    name => name.endsWith('.md') && !name.startsWith('api'), // signatures are no snippets
  )
  return ['README.md', ...docs.map(name => `docs/${name}`)]
}

function findSnippets(page: string): Snippet[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(BLOCK)].map((match, number) => {
    const line = text.slice(0, match.index).split('\n').length
    const path = join(root, `${page.replace(/\W/g, '-')}-${number}.ts`)
    return { path, place: `${page}:${line}`, text: `${match[1]}\nexport {}\n` }
  })
}

function check(all: readonly Snippet[]): string[] {
  const byPath = new Map(all.map(snippet => [snippet.path, snippet]))
  const options = readOptions()
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = path => byPath.has(path) || fileExists(path)
  host.readFile = path => byPath.get(path)?.text ?? readFile(path)
  host.getSourceFile = (path, version, ...rest) => {
    const snippet = byPath.get(path)
    return snippet ? ts.createSourceFile(path, snippet.text, version) : getSourceFile(path, version, ...rest)
  }
  const program = ts.createProgram([...byPath.keys(), LUA_MODULES], options, host)
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const place = file ? (byPath.get(file.fileName)?.place ?? file.fileName) : 'tsconfig.json'
    return `${place}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}

/** The project's own, less the complaint about names that an example declares and does not use. */
function readOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, root)
  return { ...options, noUnusedLocals: false, noUnusedParameters: false }
}
