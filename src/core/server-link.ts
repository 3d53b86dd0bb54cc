import { StoreUnavailableError } from './errors.js'

/** What the error codes of Node.js and OpenSSL mean for an attempt to connect. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; start it, or correct the host and the port',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ENOENT: 'there is no such socket',
  ETIMEDOUT: 'no connection came about in time',
  EHOSTUNREACH: 'no route leads to the host',
  ENETUNREACH: 'no route leads to its network',
  ECONNRESET: 'it has cut the connection; it may want TLS, or none, or be another kind of server',
  EPIPE: 'it has cut the connection; it may want TLS, or none, or be another kind of server',
  EPROTO: 'it does not speak TLS, which was asked for',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS, which was asked for',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS, which was asked for',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself; give it as "ca" in the options of TLS',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its certificate is signed by an authority that is not trusted here; give that as "ca"',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate is signed by an authority that is not trusted here; give that as "ca"',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is signed by an authority that is not trusted here; give that as "ca"',
}

/** Errors that no waiting mends, unlike those of a server that is just starting. */
const FINAL = /^(ENOTFOUND|EPROTO|ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

/** What may be wrong with a server that has never answered. */
const DOUBT = 'something else may listen there, or it may want TLS'
const DOUBT_OF_TLS = 'it may not speak TLS, which was asked for, or something else may listen there'
/** The end of an address that is reached by TLS. */
const BY_TLS = ' by TLS'

/** Why a connection failed or was lost; `undefined` for an error about something else. */
export function describeConnectionError(error: unknown): string | undefined {
  const { code, syscall } = findKnown(error) ?? {}
  if (code === undefined) return undefined
  const reason = syscall === 'open' ? 'a file that its options name cannot be opened' : REASONS[code]
  return `${reason} (${code})`
}

function codeOf(error: unknown): string | undefined {
  return findKnown(error)?.code
}

/** The first error with a known code, of the error and its causes. */
function findKnown(error: unknown): { code: string; syscall?: unknown } | undefined {
  let found = error as { code?: unknown; syscall?: unknown; cause?: unknown } | undefined
  for (let depth = 0; found !== undefined && found !== null && depth < 5; depth++) {
    const { code, syscall } = found
    const isKnown = typeof code === 'string' && (syscall === 'open' || Object.hasOwn(REASONS, code))
    if (isKnown) return { code, syscall }
    found = found.cause as typeof found
  }
  return undefined
}

export interface ServerLinkParts {
  /** The name of the store in errors. */
  store: string
  /** The configured servers: `host:port`, or the path of a socket. */
  address: () => string
  /** Describes an error without a known code of the network. */
  describe?: (error: unknown, doubt: string | undefined) => string | undefined
}

/** The address of a store's server, and the reason why its client has not been connected since it last was. */
export class ServerLink {
  readonly store: string
  readonly #address: () => string
  readonly #describe: (error: unknown, doubt: string | undefined) => string | undefined
  readonly #waiting = new Set<(error: unknown) => void>()
  #failure: { error: unknown; since: Date } | undefined
  #wasConnected = false

  constructor({ store, address, describe = () => undefined }: ServerLinkParts) {
    this.store = store
    this.#address = address
    this.#describe = describe
  }

  get address(): string {
    return this.#address()
  }

  /** Notes a failed attempt to connect, or a lost connection. */
  noteFailure(error: unknown): void {
    this.#failure = { error, since: this.#failure?.since ?? new Date() }
    if (FINAL.test(codeOf(error) ?? '')) for (const giveUp of this.#waiting) giveUp(error)
  }

  /** Runs a call that waits for the first connection. The call fails on the next failure that no waiting mends. */
  connecting<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      call()
        .then(resolve, reject)
        .finally(() => this.#waiting.delete(reject))
    })
  }

  noteConnected(): void {
    this.#failure = undefined
    this.#wasConnected = true
  }

  /** What may be wrong; `undefined` once the server has answered. */
  get doubt(): string | undefined {
    if (this.#wasConnected) return undefined
    return this.address.endsWith(BY_TLS) ? DOUBT_OF_TLS : DOUBT
  }

  /** Why there is no connection, if known. */
  get reason(): string | undefined {
    if (this.#failure === undefined) return undefined
    const { error } = this.#failure
    return describeConnectionError(error) ?? this.#describe(error, this.doubt)
  }

  get cause(): unknown {
    return this.#failure?.error
  }

  /** The state of the server, for the error of a call that has waited in vain. */
  get situation(): string | undefined {
    const { store, address, reason } = this
    if (reason !== undefined) return `${store} at ${address}: ${reason}`
    return `${store} at ${address} has not answered${this.doubt ? `; ${this.doubt}` : ''}`
  }

  /** `reason`: the call's own, if it says more than the link's. */
  toOutage(reason: string, cause: unknown): StoreUnavailableError {
    return new StoreUnavailableError(this.store, reason, {
      cause,
      address: this.address,
      since: this.#failure?.since,
    })
  }
}

/** The part of a link that the error of a timed-out call needs. */
export type KnownSituation = Pick<ServerLink, 'situation' | 'cause'>

/** The links of a store with several servers: tells which servers cannot be reached. */
export function joinLinks(...links: readonly ServerLink[]): KnownSituation {
  const away = () => links.filter(link => link.reason !== undefined)
  return {
    get situation() {
      return (
        away()
          .map(link => link.situation)
          .join('; ') || undefined
      )
    },
    get cause() {
      return away()[0]?.cause
    },
  }
}
