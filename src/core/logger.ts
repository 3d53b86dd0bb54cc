/** What the library asks of a logger; pino and Baileys' own logger fit. No message holds a secret or a phone number. */
export interface Logger {
  debug(context: object, message: string): void
  info(context: object, message: string): void
  warn(context: object, message: string): void
  error(context: object, message: string): void
}

export const nullLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
