/** What is called of the peer: it is installed for a run only. */
interface PeerHandle {
  state: {
    creds: object
    keys: { get(type: string, ids: string[]): Promise<object>; set(keys: object): Promise<void> }
  }
  saveCreds: () => Promise<void>
  store: {
    set(sessionId: string, patch: object): Promise<unknown>
    reconcileOutbox?(): Promise<void>
    disconnect(): Promise<void>
  }
}

interface PeerHookOptions {
  sessionId: string
  redis?: object
  mongodb?: object
  hybrid?: object
  masterKey?: string
  enableEncryption?: boolean
  enableCompression?: boolean
}

declare module 'peer/redis' {
  export function useRedisAuthState(options: PeerHookOptions): Promise<PeerHandle>
}

declare module 'peer/mongodb' {
  export function useMongoAuthState(options: PeerHookOptions): Promise<PeerHandle>
}

declare module 'peer/hybrid' {
  export function useHybridAuthState(options: PeerHookOptions): Promise<PeerHandle>
}
