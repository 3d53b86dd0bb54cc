#!/usr/bin/env node
import { run } from './program.js'

/** Whoever writes in the clear has said so, and SQLite's module is experimental in some releases of Node. */
const QUIET = ['BAILEYS_STORE_PLAINTEXT', 'ExperimentalWarning']

process.removeAllListeners('warning') // Node's own, which prints all of them
process.on('warning', ({ name, message, code }: Error & { code?: string }) => {
  if (!QUIET.includes(code ?? name)) process.stderr.write(`${message}\n`)
})
run(process.argv.slice(2)).then(code => {
  process.exitCode = code
})
