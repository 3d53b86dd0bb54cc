import { readFileSync } from 'node:fs'
import { Misuse } from './misuse.js'

const DEFAULT_VARIABLE = 'BAILEYS_MASTER_KEY'

export interface KeyOptions {
  /** Names of environment variables; the first one has the key that writes. */
  env: readonly string[]
  file: string | undefined
}

/** The master keys, which are never arguments: other users of the machine see those. */
export function readKeys({ env, file }: KeyOptions): string[] {
  if (file !== undefined) return readFile(file)
  if (env.length > 0) return env.map(readVariable)
  const key = process.env[DEFAULT_VARIABLE]
  return key ? [key] : []
}

function readVariable(name: string): string {
  const key = process.env[name]
  if (!key) throw new Misuse(`The environment variable ${name} is not set, or is empty.`)
  return key
}

/** One key a line. */
function readFile(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/\s+/).filter(Boolean)
  } catch (error) {
    throw new Misuse(`The file of the key cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
}
