import { describe, expect, it } from 'vitest'
import { checkKeyId, checkKeyType, checkSessionId } from '../../src/core/names.js'
import { catchError } from '../support/catch-error.js'

const refused: [string, unknown][] = [
  ['nothing', ''],
  ['a NUL', 'a\0b'],
  ['1,025 bytes', 'a'.repeat(1025)],
  ['1,025 bytes in fewer characters', `${'ü'.repeat(512)}a`],
  ['the first half of a surrogate pair', 'a\uD83D'],
  ['the first half before another letter', '\uD83Da'],
  ['the second half of a surrogate pair', '\uDE00'],
  ['two first halves', '\uD83D\uD83D\uDE00'],
  ['a number', 5],
  ['undefined', undefined],
  ['null', null],
]
const accepted = [
  'a',
  'a'.repeat(1024),
  'ü'.repeat(512),
  '😀',
  'a b/c:d*?[]{}%\\"\n',
  '../..',
  '__proto__',
  '15550001111:2@s.whatsapp.net',
]

describe('a session id', () => {
  it.each(refused)('of %s is refused', async (_what, name) => {
    await catchError('INVALID_SESSION_ID', () => checkSessionId(name))
  })

  it.each(accepted)('%j is taken', name => {
    expect(() => checkSessionId(name)).not.toThrow()
  })
})

describe('an id of a key', () => {
  it.each(refused)('of %s is refused', async (_what, name) => {
    const error = await catchError('INVALID_KEY', () => checkKeyId(name, 'session', 'bot'))
    expect(error.sessionId).toBe('bot')
    expect(error.message).toContain('type "session"')
  })

  it.each(accepted)('%j is taken', name => {
    expect(() => checkKeyId(name, 'session', 'bot')).not.toThrow()
  })
})

describe('a type of key', () => {
  it.each(['', 'creds', '@app-state', 'a:b', 'a/b', 'a b', '.a', '-a', 'é', 'a'.repeat(65), 5, null])(
    '%j is refused',
    async type => {
      const error = await catchError('INVALID_KEY', () => checkKeyType(type, 'bot'))
      expect(error.sessionId).toBe('bot')
    },
  )

  it.each(['session', 'app-state-sync-key', 'a', 'A.b_c-9', '9', 'a'.repeat(64)])('%j is taken', type => {
    expect(() => checkKeyType(type, 'bot')).not.toThrow()
  })
})
