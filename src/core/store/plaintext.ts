import { InvalidOptionError } from '../errors.js'
import type { CommonOptions } from '../input/options.js'
import { noteUndefined } from '../input/parse-options.js'
import { type Logger, warnOperator } from '../logger.js'

let hasWarned = false

/**
 * Warns once a process that a store keeps its sessions unencrypted, unless `enableEncryption: false` states that this
 * is wanted. In `production`, a master key given as `undefined` is refused: it comes from a missing environment
 * variable.
 */
export function checkPlaintext(options: CommonOptions, logger: Logger): void {
  if (options.security?.enableEncryption === false) return
  const reason = noteUndefined(options, ['masterKey', 'masterKeys'])
  if (reason !== '' && options.security?.environment === 'production') {
    throw new InvalidOptionError(
      `${reason}Give it 64 hex characters (openssl rand -hex 32), or set "security.enableEncryption" to false to store ` +
        'everything in the clear.',
    )
  }
  if (hasWarned) return
  hasWarned = true
  warnOperator(
    logger,
    'BAILEYS_STORE_PLAINTEXT',
    {},
    `${reason}The store is not encrypted: anyone who can read its database can take over the WhatsApp accounts in it. Give ` +
      'it a "masterKey" (openssl rand -hex 32), or set "security.enableEncryption" to false to keep it so.',
  )
}
