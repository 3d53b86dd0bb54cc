#!/usr/bin/env node
import { run } from './program.js'

/** Warnings that are not printed: `--unencrypted` asks for plaintext, and Node calls its SQLite module experimental. */
const QUIET = ['BAILEYS_STORE_PLAINTEXT', 'ExperimentalWarning']

process.removeAllListeners('warning') // Node's own, which prints all of them
process.on('warning', ({ name, message, code }: Error & { code?: string }) => {
  if (!QUIET.includes(code ?? name)) process.stderr.write(`${message}\n`)
})
run(process.argv.slice(2)).then(code => {
  process.exitCode = code
})
