import * as v from 'valibot'
import { InvalidOptionError } from '../core/errors.js'
import { type CommonOptions, commonOptions } from '../core/input/options.js'
import { parseOptions } from '../core/input/parse-options.js'
import type { SqliteDatabase } from './driver.js'

/** Where the file is, and the options of every store. */
export interface SqliteOptions extends CommonOptions {
  /** The file. It is created with mode 0600 if it does not exist; its folder must exist. `:memory:` for tests. */
  path?: string | undefined
  /**
   * Instead of `path`: an open database compatible with better-sqlite3. The store uses it as it is and never closes it.
   */
  database?: SqliteDatabase | undefined
  /**
   * `full` (default): an acknowledged write survives a power cut. `normal`: it survives the end of the process; a power
   * cut may undo the last writes, each as a whole.
   */
  synchronous?: 'full' | 'normal' | undefined
}

const PATH = 'the path of a file'

const schema = v.strictObject(
  {
    ...commonOptions,
    path: v.optional(
      v.pipe(
        v.string(PATH),
        v.check(path => path !== '', PATH),
        v.check(path => !/[\\/]$/.test(path), `${PATH}, not of a folder`),
        v.check(path => !/^(file:|[a-z]+:\/\/)/i.test(path), `${PATH}, not a URL`),
        v.check(path => !path.includes('\0'), `${PATH} without NUL`),
        v.check(path => !path.startsWith('~'), `${PATH} without "~", which only a shell replaces`),
      ),
    ),
    database: v.optional(
      v.custom<SqliteDatabase>(isDatabase, 'a database that is compatible with better-sqlite3'),
    ),
    synchronous: v.optional(v.picklist(['full', 'normal'], '"full" or "normal"')),
  },
  'an object',
)

export function parseSqliteOptions(options: SqliteOptions): SqliteOptions {
  const parsed = parseOptions(schema, options, 'sqlite')
  if ((parsed.path === undefined) === (parsed.database === undefined)) {
    throw new InvalidOptionError('"sqlite" must have either a "path" or a "database".')
  }
  return parsed
}

function isDatabase(value: unknown): boolean {
  const database = value as Partial<SqliteDatabase> | null
  return typeof database?.exec === 'function' && typeof database.prepare === 'function'
}
