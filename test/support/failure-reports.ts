const reports = new Set<() => Promise<string>>()

/** `describe` says what a server does when a test fails. Returns how to forget it. */
export function describeOnFailure(describe: () => Promise<string>): () => void {
  reports.add(describe)
  return () => void reports.delete(describe)
}

export function describeServers(): Promise<string[]> {
  return Promise.all([...reports].map(describe => describe().catch(String)))
}
