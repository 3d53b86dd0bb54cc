import { fileURLToPath } from 'node:url'

const LUA_MODULES = fileURLToPath(new URL('../../scripts/lua-modules.mjs', import.meta.url))

/** Arguments of Node for a process that runs the sources. */
export const TYPESCRIPT = [
  '--import',
  'tsx',
  '--import',
  LUA_MODULES,
  '--disable-warning=BAILEYS_STORE_PLAINTEXT',
]
