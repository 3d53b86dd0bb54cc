/** `npm run bench`: reads the arguments before it installs the peer and builds the library, which take a minute. */
import { spawnSync } from 'node:child_process'
import { readArguments } from './arguments.js'

readArguments()
const STEPS = [
  'npm ci --prefix bench/peer --no-audit --no-fund',
  'npx tsup --silent',
  'npx tsx --expose-gc --tsconfig bench/tsconfig.json --import ./scripts/lua-modules.mjs bench/main.ts',
]
for (const step of STEPS) {
  const [program = '', ...input] = step.split(' ')
  const given = step === STEPS.at(-1) ? process.argv.slice(2) : []
  const { status } = spawnSync(program, [...input, ...given], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
