import type { AuthStore } from '../../../src/index.js'
import type { StoredMembers } from './stored-member.js'

/** A database whose records can be damaged. */
export interface FuzzPlace extends StoredMembers {
  /** Each store knows nothing of what others have seen, as in another process. */
  open(options: { masterKey?: string }): Promise<AuthStore>
  /** Hybrid: brings what waits to MongoDB, or takes away what Redis has. */
  settle?(store: AuthStore): Promise<void>
  cool?(sessionId: string): Promise<unknown>
  remove(): Promise<void>
}
