import type { AuthStore } from '@luoarch/baileys-store-core'
import type { Arguments, OptionSpecs } from './arguments.js'
import type { CommandSpec } from './command.js'
import { withStore } from './context.js'
import { copy } from './copy.js'
import { importOne, openSource } from './import.js'
import { readKeys } from './keys.js'
import { describe, list } from './list.js'
import { type Access, openStore } from './place.js'
import { remove, restore } from './remove.js'

const CONCURRENCY = 4
const MAX_CONCURRENCY = 100
const MAX_DAYS = 36_500
const MS_PER_DAY = 24 * 60 * 60 * 1000

const STORE: OptionSpecs = {
  store: {
    value: 'URL',
    help: 'sqlite:PATH, redis://HOST?prefix=PREFIX or mongodb://HOST/DATABASE?collection=NAME',
  },
  redis: { value: 'URL', help: 'Instead: the Redis of a hybrid store' },
  mongo: { value: 'URL', help: 'Instead: the MongoDB of a hybrid store' },
  'key-env': {
    value: 'NAME',
    isList: true,
    help: 'Variable with the master key, or several, the first for writing; default BAILEYS_MASTER_KEY',
  },
  'key-file': { value: 'PATH', help: 'Instead: a file with one key a line' },
}
const DRY_RUN = { 'dry-run': { help: 'Tell what would be done, and write nothing' } }
const REPLACE = { replace: { help: 'Replace a session of that name' } }
const UNENCRYPTED = { unencrypted: { help: 'Without a key: write values in the clear' } }
const YES = { yes: { help: 'Do not ask' } }

export const COMMANDS: Readonly<Record<string, CommandSpec>> = {
  list: {
    usage: '--store URL',
    summary: 'List sessions',
    options: {
      ...STORE,
      deleted: { help: 'Those that were deleted and can be restored' },
      paired: { help: 'Leave out those that are not paired' },
      'owned-by': { value: 'LABEL', help: 'Those that this owner has opened last' },
      'idle-days': { value: 'DAYS', help: 'Those without a write for that many days' },
    },
    run: (given, context) => {
      given.sessions(0, 0)
      const days = given.number('idle-days', MAX_DAYS)
      const filter = {
        deleted: given.has('deleted'),
        pairedOnly: given.has('paired'),
        ownedBy: given.text('owned-by'),
        idleSinceMs: days === undefined ? undefined : days * MS_PER_DAY,
      }
      return withStore(open(given, 'read'), store => list(store, filter, context))
    },
  },
  describe: {
    usage: 'SESSION --store URL',
    summary: 'Show one session',
    options: STORE,
    run: (given, context) => {
      const [session = ''] = given.sessions(1, 1)
      return withStore(open(given, 'read'), store => describe(store, session, context))
    },
  },
  import: {
    usage: 'SESSION --from SOURCE --store URL',
    summary: 'Import a session from elsewhere',
    options: {
      from: {
        value: 'SOURCE',
        help: 'multi-file:FOLDER, earlier:redis://HOST or earlier:mongodb://HOST/DATABASE',
      },
      'from-mongo': {
        value: 'URL',
        help: 'With earlier:redis://HOST: the MongoDB of an earlier hybrid store',
      },
      'from-session': { value: 'NAME', help: 'Its name in an earlier store; default the same' },
      'from-key-env': { value: 'NAME', help: "Variable with the earlier store's key or passphrase" },
      ...STORE,
      ...REPLACE,
      ...UNENCRYPTED,
      ...DRY_RUN,
    },
    run: async (given, context) => {
      const [session = ''] = given.sessions(1, 1)
      const keyEnv = given.text('from-key-env')
      const source = await openSource(given.text('from-session') ?? session, {
        from: given.text('from') ?? '',
        fromMongo: given.text('from-mongo'),
        masterKey: keyEnv === undefined ? undefined : readKeys({ env: [keyEnv], file: undefined })[0],
      })
      const settings = { replaces: given.has('replace'), isDryRun: given.has('dry-run') }
      return withStore(open(given, writing(given)), store =>
        importOne(store, session, source, settings, context),
      )
    },
  },
  copy: {
    usage: '[SESSION …] --from URL --to URL',
    summary: 'Copy sessions into another store; all of them if none is named',
    options: {
      ...toSide('from', 'read'),
      ...toSide('to', 'write'),
      ...REPLACE,
      concurrency: { value: 'SESSIONS', help: `Sessions at once; default ${CONCURRENCY}` },
      ...UNENCRYPTED,
      ...DRY_RUN,
    },
    run: (given, context) => {
      const sessions = given.sessions(0)
      const settings = {
        replaces: given.has('replace'),
        isDryRun: given.has('dry-run'),
        concurrency: given.number('concurrency', MAX_CONCURRENCY) ?? CONCURRENCY,
      }
      return withStore(open(given, 'read', 'from'), from =>
        withStore(open(given, writing(given), 'to'), to => copy(from, to, sessions, settings, context)),
      )
    },
  },
  delete: toRemoval('Delete sessions; they can be restored for a day', false),
  restore: {
    usage: 'SESSION … --store URL',
    summary: 'Bring deleted sessions back',
    options: { ...STORE, ...DRY_RUN },
    run: (given, context) => {
      const sessions = given.sessions(1)
      return withStore(open(given, 'read'), store => restore(store, sessions, given.has('dry-run'), context))
    },
  },
  purge: toRemoval('Delete sessions for good, with the copies of deleted ones', true),
}

function toSide(side: 'from' | 'to', what: string): OptionSpecs {
  return {
    [side]: { value: 'URL', help: `The store to ${what}; see --store of the other commands` },
    [`${side}-redis`]: { value: 'URL', help: 'Instead: the Redis of a hybrid store' },
    [`${side}-mongo`]: { value: 'URL', help: 'Instead: the MongoDB of a hybrid store' },
    [`${side}-key-env`]: {
      value: 'NAME',
      isList: true,
      help: 'Variable with its master key; default BAILEYS_MASTER_KEY',
    },
  }
}

function toRemoval(summary: string, forGood: boolean): CommandSpec {
  return {
    usage: 'SESSION … --store URL',
    summary,
    options: { ...STORE, ...YES, ...DRY_RUN },
    run: (given, context) => {
      const sessions = given.sessions(1)
      const settings = { isDryRun: given.has('dry-run'), isAgreed: given.has('yes') }
      return withStore(open(given, 'read'), store => remove(store, sessions, forGood, settings, context))
    },
  }
}

/** A dry run makes no file, and needs no key. */
function writing(given: Arguments): Access {
  if (given.has('dry-run')) return 'read'
  return given.has('unencrypted') ? 'write in the clear' : 'write'
}

/** `side`: of a copy, whose options bear its name. */
function open(given: Arguments, access: Access, side?: 'from' | 'to'): Promise<AuthStore> {
  const of = (name: string) => (side === undefined ? name : `${side}-${name}`)
  const place = {
    store: given.text(side ?? 'store'),
    redis: given.text(of('redis')),
    mongo: given.text(of('mongo')),
  }
  const keys = readKeys({ env: given.texts(of('key-env')), file: given.text(of('key-file')) })
  return openStore(place, keys, access)
}
