/**
 * Compiled, never run: the auth state fits both of Baileys' packages as it is, without a cast. Those packages are the
 * same code under two names, but to the compiler their classes are unrelated.
 */
import * as official from '@whiskeysockets/baileys'
import * as plain from 'baileys'
import type { AuthenticationState } from '../../src/index.js'
import { useSqliteAuthState } from '../../src/sqlite/index.js'

export async function acceptedByBoth(): Promise<void> {
  const { state, saveCreds } = await useSqliteAuthState({ sessionId: 'bot', sqlite: { path: 'auth.db' } })
  const first = official.makeWASocket({ auth: state })
  first.ev.on('creds.update', saveCreds)
  const second = plain.makeWASocket({ auth: state })
  second.ev.on('creds.update', saveCreds)

  state satisfies official.AuthenticationState
  state satisfies plain.AuthenticationState
  state.keys satisfies official.SignalKeyStore
  state.keys satisfies plain.SignalKeyStore
}

/** What Baileys makes of its own creds and keys goes in without a cast, too. */
export async function takesWhatBaileysMakes(state: AuthenticationState): Promise<void> {
  state.creds = official.initAuthCreds()
  state.creds = plain.initAuthCreds()
  const keys: official.SignalDataSet = {
    'pre-key': { 1: official.Curve.generateKeyPair() },
    session: { a: null },
  }
  await state.keys.set(keys)
  state.creds.account satisfies official.proto.IADVSignedDeviceIdentity | undefined
  const found = await state.keys.get('lid-mapping', ['a'])
  found.a satisfies string | undefined
  // @ts-expect-error: a type of key that Baileys does not have
  await state.keys.get('no-such-type', ['a'])
  // @ts-expect-error: a pre-key is no text
  await state.keys.set({ 'pre-key': { 1: 'text' } })
}

export async function forAnyTypeOfKey(
  ours: AuthenticationState,
  theirs: official.AuthenticationState,
): Promise<void> {
  for await (const [id, lid] of ours.keys.list('lid-mapping')) [id, lid] satisfies [string, string]
  for await (const id of ours.keys.listIds('session')) id satisfies string
  const addCapability = official.addTransactionCapability(ours.keys, logger, capability)
  addCapability satisfies official.SignalKeyStoreWithTransaction
  theirs.creds satisfies AuthenticationState['creds']
}

declare const logger: Parameters<typeof official.addTransactionCapability>[1]
declare const capability: Parameters<typeof official.addTransactionCapability>[2]
