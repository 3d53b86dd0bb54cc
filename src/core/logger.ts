/**
 * What the library needs of a logger; pino and Baileys' own logger fit. No message holds a secret or a phone number.
 */
export interface Logger {
  debug(context: object, message: string): void
  info(context: object, message: string): void
  warn(context: object, message: string): void
  error(context: object, message: string): void
}

export const nullLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** The console as a logger. It shows its arguments in their order, so the message comes first. */
export const consoleLogger = Object.fromEntries(
  LEVELS.map(level => [
    level,
    (context: object, message: string) =>
      // biome-ignore lint/suspicious/noConsole: a user has asked for the console
      console[level](message, ...(Object.keys(context).length === 0 ? [] : [context])),
  ]),
) as unknown as Logger

export type WarningCode = 'BAILEYS_STORE_PLAINTEXT' | 'BAILEYS_STORE_SESSION_ENDED'

/** Warns the operator through the store's logger or, without one, by a Node process warning. */
export function warnOperator(logger: Logger, code: WarningCode, context: object, message: string): void {
  if (logger === nullLogger) process.emitWarning(message, { code })
  else logger.warn({ ...context, code }, message)
}
