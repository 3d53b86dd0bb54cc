import type { CaseName, StoreName } from './cases/names.js'

export type ContenderName =
  | 'raw'
  | 'json'
  | 'plain'
  | 'encrypted'
  | 'compressed'
  | 'behind'
  | 'cached'
  | 'files'
  | 'files, cached'
  | 'peer'

export const OPERATIONS = [
  'get 1',
  'get 50',
  'set 1',
  'set 50',
  'set 812',
  'saveCreds',
  '100 × get 1',
  '100 × set 1',
  'open',
] as const
export type Operation = (typeof OPERATIONS)[number]

export interface Latency {
  samples: number
  p50Ms: number
  p99Ms: number
}

/** One operation of one contender. */
export interface Figure extends Latency {
  /** Processor time of the process for one call, its threads included: the best tenth of the turns. */
  cpuMs: number
  case: CaseName
  store: StoreName
  operation: Operation | 'fallback'
  contender: ContenderName
  /** In the session. */
  keys: number
  /** Of a value. */
  bytes: number
}

/** What could not be measured, and why. */
export interface Failure {
  what: string
  reason: string
}

export interface CodecFigure {
  value: string
  cipher: string
  compression: string
  /** As JSON with its bytes in base64, which is what the time is put in relation to. */
  jsonBytes: number
  storedBytes: number
  encodeUs: number
  decodeUs: number
}

/** 100 sessions at once, as the seed's README has it. */
export interface SettingFigure {
  store: StoreName
  contender: ContenderName
  operations: number
  seconds: number
  /** Operations that were refused or went wrong; they are in no other figure. */
  failed: number
  perSecond: number
  read: Latency
  write: Latency
  /** Of the process: with all sessions open, and what they have added to it. */
  rssMiB: number
  addedMiB: number
  redisConnections: number
  mongoConnections: number
}

export interface Results {
  measuredAt: string
  isQuick: boolean
  machine: Record<string, string>
  versions: Record<string, string>
  figures: Figure[]
  codec: CodecFigure[]
  setting: SettingFigure[]
  failures: Failure[]
}
