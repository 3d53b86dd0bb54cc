import { gzipSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'

export interface Weight {
  /** Of our own code, minified; packages are not in it. */
  bytes: number
  gzipBytes: number
  /** Folders of `src` that something is taken from. */
  folders: string[]
  /** Packages that Node loads at once with it, used or not. */
  loads: string[]
  /** Packages that only `import()` reaches. */
  defers: string[]
}

const KEPT = 'kept.js'

/** What a bundler makes of `export <names> from` a built file. `names` is `*` or `{ one }`. */
export async function measureImport(root: string, builtFile: string, names: string): Promise<Weight> {
  const built = await bundle(root, `export ${names} from '${builtFile}'`)
  // The chunks of a build are shared by its entries; the sources tell which folder the code is from.
  const sourceFile = builtFile.replace(/^\.\/dist\/(.*)\.js$/, './src/$1.ts')
  const source = await bundle(root, `export ${names} from '${sourceFile}'`)
  const loads = findPackages(built.metafile, 'import-statement')
  return {
    bytes: built.code.length,
    gzipBytes: gzipSync(built.code).length,
    folders: findFolders(source.metafile),
    loads,
    defers: findPackages(built.metafile, 'dynamic-import').filter(name => !loads.includes(name)),
  }
}

async function bundle(root: string, contents: string): Promise<{ code: Uint8Array; metafile: Metafile }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: root },
    absWorkingDir: root,
    outfile: KEPT,
    write: false,
    bundle: true,
    minify: true,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    loader: { '.lua': 'text' },
    logLevel: 'error', // it warns of imports for the order alone, which `sideEffects: false` lets it drop
  })
  return { code: outputFiles[0]?.contents ?? new Uint8Array(), metafile }
}

/** By all files that are reached, also those that a bundler then leaves out: Node leaves out none. */
function findPackages({ inputs }: Metafile, kind: string): string[] {
  const imports = Object.values(inputs).flatMap(file => file.imports)
  const names = imports
    .filter(found => found.external && found.kind === kind && !found.path.startsWith('node:'))
    .map(found => found.path)
  return [...new Set(names)].sort()
}

function findFolders({ outputs }: Metafile): string[] {
  const files = Object.entries(outputs[KEPT]?.inputs ?? {})
  const folders = files
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([path]) => /^src\/([^/]+)\//.exec(path)?.[1] ?? [])
  return [...new Set(folders)].sort()
}
