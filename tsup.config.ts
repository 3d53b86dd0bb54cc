import { defineConfig } from 'tsup'

export default defineConfig([
  {
    entry: {
      index: 'src/index.ts',
      'hybrid/index': 'src/hybrid/index.ts',
      'mongodb/index': 'src/mongodb/index.ts',
      'redis/index': 'src/redis/index.ts',
      'sqlite/index': 'src/sqlite/index.ts',
    },
    loader: { '.lua': 'text' },
    format: ['esm', 'cjs'],
    target: 'node20',
    dts: true,
    splitting: true,
    sourcemap: true,
    clean: true,
    // esbuild would turn `node:sqlite` into `sqlite`, which is another module.
    removeNodeProtocol: false,
  },
  {
    // The command line is a user of the library. Its own packages are in its file, so that nobody installs them.
    entry: { cli: 'src/cli/main.ts' },
    format: ['esm'],
    target: 'node20',
    splitting: false,
    external: [/^@luoarch\/baileys-store-core/],
    noExternal: ['@clack/prompts'],
  },
])
