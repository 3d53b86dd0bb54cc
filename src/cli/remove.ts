import type { AuthStore } from '@luoarch/baileys-store-core'
import { confirmed } from './confirm.js'
import { type Context, DONE } from './context.js'

export interface RemovalOptions {
  isDryRun: boolean
  isAgreed: boolean
}

/** Deletes sessions; they can be restored for a day. `forGood`: nobody can restore them. */
export async function remove(
  store: AuthStore,
  sessionIds: readonly string[],
  forGood: boolean,
  { isDryRun, isAgreed }: RemovalOptions,
  { output, signal }: Context,
): Promise<number> {
  const verb = forGood ? 'purge' : 'delete'
  const isSure = isDryRun || (await confirmed(`${toTitle(verb)} ${nameAll(sessionIds)}?`, isAgreed))
  if (!isSure) throw new Error('Nothing was changed.')
  for (const sessionId of sessionIds) {
    if (signal.aborted) throw new Error(`Interrupted. "${sessionId}" and what comes after it were left.`)
    if (!isDryRun) await (forGood ? store.purge(sessionId) : store.delete(sessionId))
    output.result(
      { sessionId, [`${verb}d`]: !isDryRun, isDryRun },
      `${isDryRun ? 'would ' : ''}${verb}  ${sessionId}`,
    )
  }
  return DONE
}

export async function restore(
  store: AuthStore,
  sessionIds: readonly string[],
  isDryRun: boolean,
  { output }: Context,
): Promise<number> {
  for (const sessionId of sessionIds) {
    const restored = isDryRun ? undefined : await store.restore(sessionId)
    if (restored === null) throw new Error(`There is no deleted session "${sessionId}" that can be restored.`)
    output.result(
      { sessionId, version: restored?.version, isDryRun },
      `${isDryRun ? 'would ' : ''}restore  ${sessionId}`,
    )
  }
  return DONE
}

function nameAll(sessionIds: readonly string[]): string {
  return sessionIds.length === 1 ? `"${sessionIds[0]}"` : `${sessionIds.length} sessions`
}

function toTitle(verb: string): string {
  return verb.charAt(0).toUpperCase() + verb.slice(1)
}
