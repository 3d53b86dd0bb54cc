import { type Logger, nullLogger } from './logger.js'

export type WarningCode = 'BAILEYS_STORE_PLAINTEXT' | 'BAILEYS_STORE_SESSION_ENDED'

/** For what whoever runs the bots must get to see: by the store's logger, and where it has none, as a warning of Node. */
export function warnOperator(logger: Logger, code: WarningCode, context: object, message: string): void {
  if (logger === nullLogger) process.emitWarning(message, { code })
  else logger.warn({ ...context, code }, message)
}
