import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { AuthPatch } from '../../../src/index.js'
import { TYPESCRIPT } from '../typescript.js'

const PROGRAM = fileURLToPath(new URL('./dying-writer.ts', import.meta.url))

export interface DyingWriter {
  url: string
  database: string
  collection: string
  sessionId: string
  task: { kind: 'set'; patch: AuthPatch } | { kind: 'delete' }
  /** The command ahead of which it is killed, from 1. */
  dieAt: number
}

/** Resolves with the command that the process died ahead of; `undefined` when it lived to the end. */
export async function writeAndDie(options: DyingWriter): Promise<string | undefined> {
  const child = spawn(process.execPath, [...TYPESCRIPT, PROGRAM], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(JSON.stringify(options)) // too long for an argument
  let said = ''
  child.stdout.on('data', bytes => {
    said += bytes
  })
  const [code, signal] = await once(child, 'close')
  if (signal === 'SIGKILL') return said
  if (code !== 0) throw new Error(`the writing process ended with code ${code}`)
  return undefined
}
