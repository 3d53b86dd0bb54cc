import { StoreUnavailableError } from './errors.js'

/** What the codes of Node.js and of OpenSSL say of an attempt to connect. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; start it, or correct the host and the port',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ENOENT: 'there is no such socket',
  ETIMEDOUT: 'no connection came about in time',
  EHOSTUNREACH: 'no route leads to the host',
  ENETUNREACH: 'no route leads to its network',
  ECONNRESET: 'it has cut the connection; it may want TLS, or none',
  EPIPE: 'it has cut the connection',
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

/** What no waiting mends, other than of a server that is about to start. */
const FINAL = /^(ENOTFOUND|EPROTO|ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

/** Why a connection did not come about, or was lost; `undefined` for an error that says nothing of that. */
export function describeConnectionError(error: unknown): string | undefined {
  const code = codeOf(error)
  return code && `${REASONS[code]} (${code})`
}

function codeOf(error: unknown): string | undefined {
  let found = error as { code?: unknown; cause?: unknown } | undefined
  for (let depth = 0; found !== undefined && found !== null && depth < 5; depth++) {
    const { code } = found
    if (typeof code === 'string' && Object.hasOwn(REASONS, code)) return code
    found = found.cause as typeof found
  }
  return undefined
}

export interface ServerLinkParts {
  /** As errors name the store. */
  store: string
  /** Of the servers that the client has been given: `host:port`, or the path of a socket. */
  address: () => string
  /** What an error that is none of the network says. */
  describe?: (error: unknown) => string | undefined
}

/** Where a store's server is, and what has kept its client from it since it was last connected. */
export class ServerLink {
  readonly store: string
  readonly #address: () => string
  readonly #describe: (error: unknown) => string | undefined
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

  /** An attempt to connect has failed, or a connection was lost. */
  noteFailure(error: unknown): void {
    this.#failure = { error, since: this.#failure?.since ?? new Date() }
    if (FINAL.test(codeOf(error) ?? '')) for (const giveUp of this.#waiting) giveUp(error)
  }

  /** For a call that waits for the first connection: it fails with the next failure that no waiting mends. */
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

  /** Why there is no connection, where that is known. */
  get reason(): string | undefined {
    if (this.#failure === undefined) return undefined
    const { error } = this.#failure
    return describeConnectionError(error) ?? this.#describe(error)
  }

  get cause(): unknown {
    return this.#failure?.error
  }

  /** What a call that has waited in vain tells. */
  get situation(): string | undefined {
    const { store, address, reason } = this
    if (reason !== undefined) return `${store} at ${address}: ${reason}`
    const doubt = this.#wasConnected ? '' : '; something else may listen there, or it may want TLS, or none'
    return `${store} at ${address} has not answered${doubt}`
  }

  /** `reason`: that of the call, where it says more than that there is no connection. */
  toOutage(reason: string, cause: unknown): StoreUnavailableError {
    return new StoreUnavailableError(this.store, reason, {
      cause,
      address: this.address,
      since: this.#failure?.since,
    })
  }
}

/** What is told of a call that has waited in vain. */
export type KnownSituation = Pick<ServerLink, 'situation' | 'cause'>

/** Of a store with several servers: those that are known to be out of reach. */
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
