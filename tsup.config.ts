import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', 'sqlite/index': 'src/sqlite/index.ts' },
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: true,
  splitting: true,
  sourcemap: true,
  clean: true,
  // esbuild would turn `node:sqlite` into `sqlite`, which is another module.
  removeNodeProtocol: false,
})
