import { StoreError, type StoreErrorCode, type StoreErrorContext } from '../core/errors.js'

/** Between Redis and the hybrid store, which lets none of them out: they have codes that callers do not know. */
type ProtocolCode = 'COLD' | 'AHEAD'

/** Redis does not hold the session whole: it is to be loaded from MongoDB. */
export class SessionColdError extends StoreError {
  constructor(context: StoreErrorContext) {
    super(toCode('COLD'), 'Redis does not hold the session; it has to be loaded from MongoDB.', context)
  }
}

/** A write has gone past Redis that its own store does not know of. */
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
