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
  SessionFilter,
  SessionInfo,
  SessionOwner,
  SessionPage,
  SessionUpdate,
  StoredCreds,
  Versioned,
  VersionedResult,
} from './core/auth-store.js'
export { deepBufferRevive, deserialize, serialize } from './core/codec/buffers.js'
export {
  ClosedError,
  CorruptValueError,
  DecryptionError,
  FencedError,
  ForeignDataError,
  hasCode,
  IdentityConflictError,
  InvalidKeyError,
  InvalidOptionError,
  InvalidSessionIdError,
  InvalidValueError,
  type KnownOwner,
  MissingDependencyError,
  RewoundError,
  SessionIncompleteError,
  SessionLockedError,
  StoreError,
  type StoreErrorCode,
  type StoreErrorContext,
  StoreTimeoutError,
  StoreUnavailableError,
  UnsupportedFormatError,
  ValueTooLargeError,
  VersionMismatchError,
} from './core/errors.js'
export type { AuthStateHandle, AuthStateOptions } from './core/hook/auth-state.js'
export type {
  AuthenticationCreds,
  AuthenticationState,
  KeyPair,
  SignalDataSet,
  SignalDataTypeMap,
  SignalKeyStore,
  SignedKeyPair,
} from './core/hook/auth-types.js'
export type { Ownership } from './core/hook/ownership.js'
export type {
  CacheOptions,
  CommonOptions,
  ObservabilityOptions,
  ObservabilityOptions as ObservabilityConfig,
  ResilienceOptions,
  ResilienceOptions as ResilienceConfig,
  SecurityOptions,
  SecurityOptions as SecurityConfig,
  TrashOptions,
  TtlOptions,
  TtlOptions as TtlConfig,
} from './core/input/options.js'
export type { Logger } from './core/logger.js'
export { maskSessionId } from './core/masking.js'
export type { Gauges } from './core/metrics.js'
export type { EarlierOptions } from './core/transfer/earlier-codec.js'
export type { EarlierRecords } from './core/transfer/earlier-session.js'
export { type ImportOptions, type ImportReport, importSession } from './core/transfer/import-session.js'
export { readMultiFileAuthState } from './core/transfer/multi-file.js'
export type { SessionRecord, SessionSource, SkippedRecord } from './core/transfer/session-source.js'
export { readSession } from './core/transfer/stored-session.js'
export type {
  CircuitBreakerStats,
  HybridAuthStateOptions,
  HybridAuthStore,
  HybridOptions,
  OutboxEntry,
  OutboxJob,
  OutboxOptions,
  OutboxReconcilerStats,
  OutboxStatus,
  QueueAdapter,
  SealedPatch,
} from './hybrid/index.js'
export type {
  GivenMongoClient,
  MongoAuthStateOptions,
  MongoAuthStore,
  MongoOptions,
} from './mongodb/index.js'
export type { GivenRedis, RedisAuthStateOptions, RedisAuthStore, RedisOptions } from './redis/index.js'
export type {
  SqliteAuthStateOptions,
  SqliteAuthStore,
  SqliteDatabase,
  SqliteOptions,
  SqliteStatement,
  SqliteValue,
} from './sqlite/index.js'
