interface Handle {
  type: string
  remoteEndpoint?: { port?: number } | null
}

/** Connections of this process to the port of a URL, as Node's own report lists them. */
export function countSockets(url: string): number {
  const port = Number(/:(\d+)(\/|$)/.exec(url)?.[1])
  const { libuv } = process.report.getReport() as unknown as { libuv: Handle[] }
  return libuv.filter(({ type, remoteEndpoint }) => type === 'tcp' && remoteEndpoint?.port === port).length
}
