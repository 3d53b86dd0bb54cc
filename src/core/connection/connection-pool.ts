/** A connection that several stores of the process share. */
export interface Lease<C> {
  readonly connection: C
  /** The last release closes the connection. Releasing twice is the same as once. */
  release(): Promise<void>
}

/** Releases the connection after its use. */
export async function withLease<C, T>(
  opening: Promise<Lease<C>>,
  use: (connection: C) => Promise<T>,
): Promise<T> {
  const { connection, release } = await opening
  try {
    return await use(connection)
  } finally {
    await release()
  }
}

interface Shared<C> {
  readonly opening: Promise<C>
  leases: number
}

/** Connections by name (a path, or a digest of the options that must be equal), opened once and counted. */
export class ConnectionPool<C> {
  readonly #shared = new Map<string, Shared<C>>()
  readonly #close: (connection: C) => Promise<void>
  readonly #isClosed: (connection: C) => boolean

  /** `isClosed`: whether somebody else has closed it. Then the next caller opens another one. */
  constructor(close: (connection: C) => Promise<void>, isClosed: (connection: C) => boolean = () => false) {
    this.#close = close
    this.#isClosed = isClosed
  }

  async acquire(name: string, open: () => Promise<C>): Promise<Lease<C>> {
    const shared = this.#shared.get(name) ?? { opening: open(), leases: 0 }
    this.#shared.set(name, shared)
    shared.leases++
    let isReleased = false
    const release = async (): Promise<void> => {
      if (isReleased) return
      isReleased = true
      if (--shared.leases > 0) return
      this.#drop(name, shared)
      await this.#close(await shared.opening)
    }
    try {
      const connection = await shared.opening
      if (!this.#isClosed(connection)) return { connection, release }
    } catch (error) {
      this.#drop(name, shared)
      throw error
    }
    this.#drop(name, shared)
    return this.acquire(name, open)
  }

  #drop(name: string, shared: Shared<C>): void {
    if (this.#shared.get(name) === shared) this.#shared.delete(name)
  }
}
