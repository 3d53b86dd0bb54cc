import type { AuthStore, SessionFilter, SessionInfo } from '../../src/index.js'

/** What the catalogue tells of all sessions that the filter lets through. */
export async function sessionsOf(store: AuthStore, filter?: SessionFilter): Promise<SessionInfo[]> {
  const infos: SessionInfo[] = []
  for await (const info of store.sessions(filter)) infos.push(info)
  return infos
}
