import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { toStoreError, wordOf } from '../../src/redis/redis-errors.js'

/** Errors as Redis 6.0.16 words them; those of later versions begin with the word. */
const WITHIN =
  'ERR Error running script (call to f_184650ce413f21ea2e33a9203b5173d1c9d98753): @user_script:1:'

test.each([
  [`${WITHIN} WRONGTYPE Operation against a key holding the wrong kind of value`, 'WRONGTYPE'],
  [`${WITHIN} @user_script: 1: -READONLY You can't write against a read only replica.`, 'READONLY'],
  [`${WITHIN} @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.`, 'OOM'],
  ['-READONLY You cannot write', 'READONLY'],
  ['LOADING Redis is loading the dataset in memory', 'LOADING'],
  ['Connection is closed.', ''],
])('wordOf finds the error word in: %s', (text, word) => {
  expect(wordOf(text)).toBe(word)
})

const replyError = (text: string) => Object.assign(new Error(text), { name: 'ReplyError' })

test.each([
  [new Error(`${WITHIN} WRONGTYPE Operation`), 'CORRUPT_VALUE', 'another type'],
  [new Error(`${WITHIN} @user_script: 1: -READONLY You`), 'STORE_UNAVAILABLE', 'replica'],
  [new Error("ERR The user executing the script can't run this command"), 'STORE_UNAVAILABLE', 'may not run'],
  [new Error('Failed to refresh slots cache.'), 'STORE_UNAVAILABLE', '+cluster|slots'],
  [
    new Error("ERR unknown command 'HMGET', with args beginning with: 'x'"),
    'STORE_UNAVAILABLE',
    'a Sentinel goes into',
  ],
  [replyError('CROSSSLOT Keys in request'), 'STORE_UNAVAILABLE', 'in several slots'],
  [replyError('UNKILLABLE Sorry'), 'STORE_UNAVAILABLE', 'answered with the error UNKILLABLE'],
  [
    new Error('failed to connect to sentinel a:26379 because ERR No such master with that name'),
    'STORE_UNAVAILABLE',
    'knows no master of the name',
  ],
  [
    new Error('connected to sentinel a:26379 successfully, but got an invalid reply: null'),
    'STORE_UNAVAILABLE',
    'knows no master of the name',
  ],
])('the error %s becomes a StoreError that gives the reason', (error, code, text) => {
  const known = toStoreError(error)
  expect(known).toMatchObject({ code })
  expect(known.message).toContain(text)
})

test('the cause of an error does not show the command that Redis quotes', () => {
  const quoting =
    "ERR unknown command 'evalsha', with args beginning with: 'baileys:auth:{+1 555 000 1234}:creds'"
  const error = Object.assign(new Error(quoting), { command: { args: ['15550001234'] } })
  const { cause } = toStoreError(error)
  expect(inspect(cause, { showHidden: true })).not.toMatch(/1234|555/)
  expect((cause as Error).message).toContain('unknown command')
})
