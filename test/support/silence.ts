import type { UserFacingSocketConfig } from '@whiskeysockets/baileys'

type Logger = NonNullable<UserFacingSocketConfig['logger']>

export const silentLogger: Logger = {
  level: 'silent',
  child: () => silentLogger,
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
}

/** How the lines that libsignal writes to the console begin. */
const LIBSIGNAL_LINES = [
  'Closing open session in favor of incoming prekey bundle',
  'Closing session:',
  'Decrypted message with closed session.',
  'Failed to decrypt message with any known session...',
  'Opening session:',
  'Removing old closed session:',
  'Session already closed',
  'Session already open',
  'Session error:',
]

/** Keeps libsignal off the console, which it knows no other way to be kept off. Returns the way back. */
export function quietLibsignal(): () => void {
  const target = globalThis.console
  const originals = { info: target.info, warn: target.warn, error: target.error }
  for (const level of ['info', 'warn', 'error'] as const) {
    target[level] = (...args: unknown[]) => {
      if (!isFromLibsignal(args[0])) originals[level].apply(target, args)
    }
  }
  return () => {
    Object.assign(target, originals)
  }
}

function isFromLibsignal(line: unknown): boolean {
  return typeof line === 'string' && LIBSIGNAL_LINES.some(start => line.startsWith(start))
}
