/** One member of one stored record of a session, and how to put something else in its place. */
export interface StoredMember {
  /** Where the member lies, for the reader of a failure. */
  readonly name: string
  /**
   * `creds` and `value`: an envelope. `life`: damage of it may say that the session has ended. `state`: anything else
   * that counts; however it is damaged, the session exists.
   */
  readonly holds: 'creds' | 'value' | 'life' | 'state'
  /** `undefined`: it is not there now. */
  readonly value: unknown
  /** `undefined` removes it. Refuses what the database cannot hold there. */
  put(damaged: unknown): Promise<unknown>
}

/** Where the stores of a database keep their records. */
export interface StoredMembers {
  /** All members of all records of the session. */
  of(sessionId: string): Promise<StoredMember[]>
  /** Removes what is left of it, so that a seed does not depend on those before it. */
  clear(sessionId: string): Promise<unknown>
}
