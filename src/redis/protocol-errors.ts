import { StoreError, type StoreErrorCode, type StoreErrorContext } from '../core/errors.js'

/** Codes between Redis and the hybrid store. Callers do not know them, so the hybrid store never lets them out. */
type ProtocolCode = 'COLD' | 'AHEAD'

/** Redis does not hold the whole session: it has to be loaded from MongoDB. */
export class SessionColdError extends StoreError {
  constructor(context: StoreErrorContext) {
    super(toCode('COLD'), 'Redis does not hold the session; it has to be loaded from MongoDB.', context)
  }
}

/** I12: the session in Redis has reached the command's bound, by a write past Redis that this process does not know. */
export class SessionAheadError extends StoreError {
  constructor(
    readonly found: number,
    context: StoreErrorContext,
  ) {
    super(toCode('AHEAD'), `The session is at version ${found}, further than this process knew.`, context)
  }
}

export function isCold(error: unknown): boolean {
  return error instanceof SessionColdError
}

export function isAhead(error: unknown): error is SessionAheadError {
  return error instanceof SessionAheadError
}

function toCode(code: ProtocolCode): StoreErrorCode {
  return code as string as StoreErrorCode
}
