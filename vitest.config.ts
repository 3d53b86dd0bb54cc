import { defineConfig } from 'vitest/config'

/** `.lua` files are text, as in the build. */
const luaModules = {
  name: 'lua-modules',
  transform: (code: string, id: string) =>
    id.endsWith('.lua') ? `export default ${JSON.stringify(code)}` : undefined,
}

export default defineConfig({
  plugins: [luaModules],
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', './test/support/summary-reporter.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**'] },
  },
})
