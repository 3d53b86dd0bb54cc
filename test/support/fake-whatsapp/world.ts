import type { Confirmations } from './confirmations.js'
import type { Directory } from './directory.js'
import type { Stats } from './stats.js'

export interface ServerOptions {
  /**
   * How many pre-keys the server claims to have of a client that has sent none. At 0, the default, clients send
   * 812; from 1 to 5 they send 5, which is enough for as many sessions and makes pairing much faster.
   */
  claimedPreKeys?: number
}

/** What outlives a connection. */
export interface World {
  directory: Directory
  confirmations: Confirmations
  stats: Stats
  options: ServerOptions
}
