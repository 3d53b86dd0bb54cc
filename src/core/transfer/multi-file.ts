import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CREDS_FIELD } from '../backend.js'
import { deserialize } from '../codec/buffers.js'
import { CorruptValueError, InvalidOptionError } from '../errors.js'
import type { SessionRecord, SkippedRecord } from './session-source.js'

const asItIs = (name: string) => name
/**
 * Types of Baileys' keys, the longer before those that they begin with. Baileys writes a key to `<type>-<id>.json`, each
 * `/` of the name as `__` and each `:` as `-` (`useMultiFileAuthState`), so the ids have to be guessed by their shape.
 */
const TO_ID: readonly (readonly [type: string, toId: (name: string) => string])[] = [
  ['sender-key-memory', asItIs],
  ['sender-key', name => name.replace(/^(.*)--([^-]+)--(\d+)$/, '$1::$2::$3')],
  ['app-state-sync-key', name => name.replaceAll('__', '/')],
  ['app-state-sync-version', asItIs],
  ['pre-key', asItIs],
  ['session', toDeviceId],
  ['identity-key', toDeviceId],
  ['lid-mapping', asItIs],
  ['device-list', asItIs],
  ['tctoken', asItIs],
]
const CREDS_FILE = 'creds.json'
const KEY_FILE = /\.json$/
/** What an interrupted write leaves, or a later release keeps beside each file. */
const SPARE_FILE = /\.(tmp|bak)$/
const DAMAGED = 'it is no JSON, and there is no sound .bak beside it'

/**
 * The session in a folder of Baileys' `useMultiFileAuthState`, for `importSession`. In place of a damaged file, it reads
 * the `.bak` beside it. It skips, and names, files of unknown types and damaged keys. Throws `CORRUPT_VALUE` for damaged
 * creds, and `INVALID_OPTION` for a folder without any, and for a file that cannot be read.
 */
export async function* readMultiFileAuthState(
  folder: string,
): AsyncGenerator<SessionRecord | SkippedRecord, void, undefined> {
  const files = new Set(await listFiles(folder))
  if (!files.has(CREDS_FILE) && !files.has(`${CREDS_FILE}.bak`)) {
    throw new InvalidOptionError(`The folder has no ${CREDS_FILE}: Baileys has not stored a session there.`)
  }
  yield { ...CREDS_FIELD, value: await readCreds(folder) }
  for (const file of files) {
    const name = file.replace(SPARE_FILE, '')
    if (name === CREDS_FILE || !KEY_FILE.test(name)) continue
    if (name === file) yield await readKey(folder, name)
    else if (!files.has(name))
      yield { skipped: file, reason: 'the key may have been deleted: only this file is left' }
  }
}

async function readKey(folder: string, name: string): Promise<SessionRecord | SkippedRecord> {
  const field = toField(name)
  if (field === undefined) return { skipped: name, reason: 'the type of the key is not known' }
  const value = await readJson(folder, name)
  if (value === undefined) return { skipped: name, reason: DAMAGED }
  return value === null ? { skipped: name, reason: 'it holds no key' } : { ...field, value }
}

async function listFiles(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new InvalidOptionError(`The folder cannot be read (${code}).`, { cause })
  }
}

async function readCreds(folder: string): Promise<unknown> {
  const creds = await readJson(folder, CREDS_FILE)
  if (creds !== undefined) return creds
  throw new CorruptValueError(`${CREDS_FILE} of the folder is damaged: ${DAMAGED}.`)
}

/** `undefined`: damaged. */
async function readJson(folder: string, name: string): Promise<unknown> {
  for (const file of [name, `${name}.bak`]) {
    try {
      return deserialize(await readFile(join(folder, file), 'utf8'))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || error instanceof SyntaxError) continue
      throw new InvalidOptionError(`A file of the folder cannot be read (${code}).`, { cause: error })
    }
  }
  return undefined
}

function toField(file: string): { type: string; id: string } | undefined {
  const name = file.replace(KEY_FILE, '')
  const [type, toId] = TO_ID.find(([type]) => name.startsWith(`${type}-`)) ?? []
  const id = type && toId?.(name.slice(type.length + 1))
  return type && id ? { type, id } : undefined
}

/** A device in the form `<user>:<device>`: users are numbers here, and have no hyphen. */
function toDeviceId(name: string): string {
  return name.replace(/^(\d+(?:_\d+)?)-(\d+)/, '$1:$2')
}
