import type { AuthStore } from '@luoarch/baileys-store-core'
import type { Output } from './output.js'

/** What every command gets. */
export interface Context {
  output: Output
  /** Aborted by SIGINT and SIGTERM. */
  signal: AbortSignal
}

export const DONE = 0
export const FAILED = 1
export const MISUSED = 2

/** Closes the store after the command. */
export async function withStore<T>(
  opening: Promise<AuthStore>,
  use: (store: AuthStore) => Promise<T>,
): Promise<T> {
  const store = await opening
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}
