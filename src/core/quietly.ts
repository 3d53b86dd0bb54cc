import { type Logger, nullLogger } from './logger.js'

/** Runs an observer or a listener. Its errors, now or later, change no result of a call. */
export function quietly(run: () => unknown, onError: (error: Error) => void = () => {}): void {
  try {
    const result = run()
    if (result instanceof Promise) result.catch(error => onError(toError(error)))
  } catch (error) {
    onError(toError(error))
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(typeof thrown)
}

export function toQuietLogger(logger: Logger): Logger {
  if (logger === nullLogger) return logger
  return {
    debug: (context, message) => quietly(() => logger.debug(context, message)),
    info: (context, message) => quietly(() => logger.info(context, message)),
    warn: (context, message) => quietly(() => logger.warn(context, message)),
    error: (context, message) => quietly(() => logger.error(context, message)),
  }
}
