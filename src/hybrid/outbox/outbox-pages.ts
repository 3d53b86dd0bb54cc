import type { Asked, Outbox, PassedOver, StoredEntry } from './outbox.js'

/** Entries read at once. */
const PAGE = 128

export interface PagesOptions {
  except?: PassedOver | undefined
  /** See `Outbox.list`. */
  isLastResort?: boolean | undefined
  /** Called with all names in the outbox, before the first page. */
  onNames?: ((names: ReadonlySet<string>, strange: readonly string[]) => void) | undefined
}

export interface OutboxPage {
  readonly entries: readonly StoredEntry[]
  /** Whether no page follows. */
  readonly isLast: boolean
}

/**
 * Reads the outbox of a session in the order of versions, at least one page, which may be empty. Lists its names once: an
 * entry that comes later is found by the next reading.
 */
export async function* readPages(
  outbox: Outbox,
  sessionId: string,
  { except = new Map(), isLastResort = false, onNames }: PagesOptions = {},
): AsyncGenerator<OutboxPage> {
  const { versions, strange } = await outbox.list(sessionId, isLastResort)
  onNames?.(new Set([...versions, ...strange]), strange)
  const passedOver = versions.filter(version => except.has(version))
  const known = passedOver.map((version): Asked => [version, except.get(version) as string])
  const changed = await outbox.read(sessionId, known, isLastResort)
  const isChanged = new Set(changed.map(({ version }) => `${version}`))
  const asked = versions.filter(version => !except.has(version) || isChanged.has(version))
  for (let from = 0; from === 0 || from < asked.length; from += PAGE) {
    const page = asked.slice(from, from + PAGE).map((version): Asked => [version, ''])
    yield { entries: await outbox.read(sessionId, page, isLastResort), isLast: from + PAGE >= asked.length }
  }
}
