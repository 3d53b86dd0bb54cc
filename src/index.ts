export type { AuthStateHandle, AuthStateOptions } from './core/auth-state.js'
export type {
  AuthenticationCreds,
  AuthenticationState,
  KeyPair,
  SignalDataSet,
  SignalKeyStore,
} from './core/auth-types.js'
export { deepBufferRevive, deserialize, serialize } from './core/buffers.js'
export * from './core/errors.js'
export type { Logger } from './core/logger.js'
export type {
  CacheOptions,
  CommonOptions,
  ObservabilityOptions,
  ObservabilityOptions as ObservabilityConfig,
  ResilienceOptions,
  ResilienceOptions as ResilienceConfig,
  SecurityOptions,
  SecurityOptions as SecurityConfig,
  TtlOptions,
  TtlOptions as TtlConfig,
} from './core/options.js'
export type {
  AuthPatch,
  AuthSnapshot,
  AuthStore,
  BatchResult,
  Claim,
  ClaimOptions,
  DeletionResult,
  Durability,
  Field,
  KeysByType,
  ListOptions,
  Rewind,
  SessionPage,
  SessionUpdate,
  StoredCreds,
  Versioned,
  VersionedResult,
} from './core/store.js'
