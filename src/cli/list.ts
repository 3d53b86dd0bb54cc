import type { AuthStore, SessionFilter, SessionInfo } from '@luoarch/baileys-store-core'
import { type Context, DONE } from './context.js'
import type { Output } from './output.js'

/** The sessions of a store, from their heads alone. */
export async function list(
  store: AuthStore,
  filter: SessionFilter,
  { output, signal }: Context,
): Promise<number> {
  for await (const info of store.sessions(filter)) {
    if (signal.aborted) break
    show(info, output)
  }
  return DONE
}

/** One session. */
export async function describe(store: AuthStore, sessionId: string, { output }: Context): Promise<number> {
  const info = await store.describe(sessionId)
  if (info === null) throw new Error(`There is no session "${sessionId}".`)
  output.result(
    info,
    Object.entries(toRows(info))
      .map(([name, value]) => `${name.padEnd(10)} ${value}`)
      .join('\n'),
  )
  return DONE
}

function show(info: SessionInfo, output: Output): void {
  const { session, paired, version, written, owner } = toRows(info)
  output.result(
    info,
    [session?.padEnd(24), paired?.padEnd(8), version?.padStart(8), written, owner].join('  '),
  )
}

function toRows(info: SessionInfo): Record<string, string> {
  const { sessionId, isPaired, version, createdAt, updatedAt, expiresAt, owner, deletedAt, isDamaged } = info
  if (isDamaged) return { session: sessionId, paired: 'damaged', version: '', written: '', owner: '' }
  const lease = owner?.leaseEndsAt ? `, lease until ${owner.leaseEndsAt.toISOString()}` : ''
  return {
    session: sessionId,
    paired: isPaired === null ? 'unknown' : isPaired ? 'paired' : 'unpaired',
    version: `${version}`,
    written: updatedAt.toISOString(),
    begun: createdAt?.toISOString() ?? 'unknown',
    expires: expiresAt?.toISOString() ?? 'never',
    ...(deletedAt && { deleted: deletedAt.toISOString() }),
    owner:
      owner === null ? 'none' : `${owner.label ?? 'unnamed'} since ${owner.claimedAt.toISOString()}${lease}`,
  }
}
