import { defineConfig } from 'vitest/config'
import { mutate } from './test/support/simulation/mutations.js'

/** `.lua` files are text, as in the build. */
const luaModules = {
  name: 'lua-modules',
  transform: (code: string, id: string) =>
    id.endsWith('.lua') ? `export default ${JSON.stringify(code)}` : undefined,
}

/** `npm run simulate:broken` breaks the sources by it. */
const { SIMULATION_MUTATION } = process.env

export default defineConfig({
  plugins: [...(SIMULATION_MUTATION ? [mutate(SIMULATION_MUTATION)] : []), luaModules],
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['./test/support/setup.ts'],
    reporters: ['default', './test/support/summary-reporter.ts'],
    pool: 'forks',
    maxWorkers: 2,
    execArgv: ['--disable-warning=BAILEYS_STORE_PLAINTEXT'],
    testTimeout: 120_000, // a test waits for events, and a busy machine takes its time
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } }, // an event is waited for, however busy the machine is
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      thresholds: { lines: 90, branches: 90 },
    },
  },
})
