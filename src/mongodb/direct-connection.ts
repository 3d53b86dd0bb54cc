import { InvalidOptionError, StoreUnavailableError } from '../core/errors.js'
import type { CommandReply } from './client.js'

/**
 * With `directConnection`, the driver reads from the configured server, primary or not, whatever the read preference
 * is. After an election, that would be a secondary, which may lack acknowledged writes. Throws `INVALID_OPTION` for one
 * of several members of a replica set.
 */
export function checkDirect({ setName, hosts = [], isWritablePrimary }: CommandReply): void {
  if (setName === undefined) return
  if (hosts.length > 1) {
    throw new InvalidOptionError(
      `"directConnection" names one of the ${hosts.length} members of the replica set "${setName}": after an ` +
        `election a secondary would be read from. Use "replicaSet=${setName}" instead.`,
    )
  }
  if (!isWritablePrimary) {
    throw new StoreUnavailableError('MongoDB', 'this server is not the primary of its replica set.')
  }
}
