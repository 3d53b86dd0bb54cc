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
  const read = (page: readonly Asked[]) => outbox.read(sessionId, page, isLastResort)
  const passedOver = versions.filter(version => except.has(version))
  const changed = new Set<string>()
  for (const page of toPages(passedOver)) {
    const known = page.map((version): Asked => [version, except.get(version) ?? ''])
    for (const { version } of await read(known)) changed.add(`${version}`)
  }
  const pages = toPages(versions.filter(version => !except.has(version) || changed.has(version)))
  for (const [i, page] of pages.entries()) {
    yield { entries: await read(page.map((version): Asked => [version, ''])), isLast: i === pages.length - 1 }
  }
}

/** At least one page, which may be empty. */
function toPages(versions: readonly string[]): string[][] {
  const count = Math.max(1, Math.ceil(versions.length / PAGE))
  return Array.from({ length: count }, (_, i) => versions.slice(i * PAGE, (i + 1) * PAGE))
}
